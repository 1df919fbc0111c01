"""Slack exports: which files belong together, who may read what, and equal bytes for equal talk."""

import json
import time
from pathlib import Path

import pytest

from parsers.slack.export import (
    MEDIA_TYPE,
    ConversationKind,
    Export,
    Index,
    conversation_kind,
    find_exports,
    make_bundle,
    read_index,
)
from tests.conftest import ROOT

WEEK_1, WEEK_2 = (ROOT / "tests" / "fixtures" / f"slack_week{number}" for number in (1, 2))
ANN = {"id": "U0ANN", "name": "ann", "profile": {"display_name": "Ann Lee"}}
BOB = {"id": "U0BOB", "name": "bob", "real_name": "Bob Ray", "deleted": True}
GENERAL = {"id": "C0GENERAL", "name": "general", "topic": {"value": "All of us"}}


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def index(**lists: list[object]) -> Index:
    """Of an export with these files; `general` and its two members unless told otherwise."""
    files = {"users": [ANN, BOB], "channels": [GENERAL], **lists}
    return read_index((f"{name}.json", as_json(held)) for name, held in files.items())


def bundle(*messages: object, folder: str = "general", **lists: list[object]) -> dict[str, object]:
    days = [(f"{folder}/2024-03-05.json", as_json(messages))]
    return json.loads(make_bundle(folder, index(**lists), days))


def export_of(folder: Path) -> tuple[Export, Index, dict[str, bytes]]:
    """A real export, and the bundle of each conversation."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    (export,) = find_exports(files)
    read = read_index((path, files[path]) for path in export.shared)
    bundles = {
        conversation.folder: make_bundle(
            conversation.folder, read, [(day, files[day]) for day in conversation.days]
        )
        for conversation in export.conversations
    }
    assert export.consumed == set(files)
    return export, read, bundles


def kind_of(folder: str, **lists: list[object]) -> ConversationKind:
    read = index(**lists)
    return conversation_kind(folder, read.channels, read.groups, read.dms, read.mpims)


class TestFindExports:
    def test_an_export_is_members_and_channels_beside_folders_of_days(self):
        paths = [
            "team/general/2024-03-05.json",
            "team/general/2024-03-04.json",
            "team/D0ANNBOB/2024-03-06.json",
            "team/users.json",
            "team/channels.json",
            "team/dms.json",
            "team/integration_logs.json",
            "team/general/canvas_in_the_conversation.json",
            "readme.md",
        ]
        (export,) = find_exports(paths)
        assert export.root == "team"
        assert [(c.folder, c.days) for c in export.conversations] == [
            ("D0ANNBOB", ("team/D0ANNBOB/2024-03-06.json",)),
            ("general", ("team/general/2024-03-04.json", "team/general/2024-03-05.json")),
        ]
        assert set(export.shared) == {"team/users.json", "team/channels.json", "team/dms.json"}
        assert export.consumed == set(paths) - {"readme.md"}

    def test_an_export_at_the_top_is_found(self):
        (export,) = find_exports(["users.json", "groups.json", "secret/2024-03-05.json"])
        assert export.root == ""
        assert export.conversations[0].days == ("secret/2024-03-05.json",)

    def test_several_exports_are_kept_apart(self):
        names = ("users.json", "channels.json", "general/2024-03-05.json")
        paths = [f"{root}/{name}" for root in ("week2", "week1", "old/2023") for name in names]
        exports = find_exports(reversed(paths))
        assert [export.root for export in exports] == ["old/2023", "week1", "week2"]
        assert set().union(*(export.consumed for export in exports)) == set(paths)

    @pytest.mark.parametrize(
        "missing", ["users.json", "channels.json", "general/2024-03-05.json"], ids=str
    )
    def test_without_one_of_its_parts_it_is_no_export(self, missing):
        whole = {"users.json", "channels.json", "general/2024-03-05.json"}
        assert find_exports(whole - {missing}) == []

    def test_files_that_only_lie_in_its_folders_are_documents_of_their_own(self):
        others = {
            "general/attachments/plan.pdf",
            "general/notes.json",
            "general/2024-13-45.json",
            "2024-03-05.json",
            "__MACOSX/general/._2024-03-05.json",
        }
        paths = {"users.json", "channels.json", "general/2024-03-05.json"} | others
        (export,) = find_exports(paths)
        assert paths - export.consumed == others

    def test_a_hundred_thousand_days_are_sorted_out_within_seconds(self):
        days = [f"c{n}/20{y:02}-03-05.json" for n in range(2_000) for y in range(50)]
        started = time.monotonic()
        (export,) = find_exports(["users.json", "channels.json", *days])
        assert len(export.conversations) == 2_000
        assert time.monotonic() - started < 5


class TestConversationKind:
    def test_each_list_has_its_kind_and_folders_of_direct_messages_are_ids(self):
        lists = {
            "groups": [{"id": "G0HR", "name": "hr"}],
            "dms": [{"id": "D0ANNBOB1", "members": ["U0ANN", "U0BOB"]}],
            "mpims": [{"id": "G0MPIM", "name": "mpdm-ann--bob--cy-1"}],
        }
        assert kind_of("general", **lists) == "public"
        assert kind_of("hr", **lists) == "private"
        assert kind_of("D0ANNBOB1", **lists) == "dm"
        assert kind_of("mpdm-ann--bob--cy-1", **lists) == "group_dm"

    @pytest.mark.parametrize(
        ("folder", "kind"),
        [("ghost", "private"), ("D0GHOST00", "dm"), ("mpdm-x--y-1", "group_dm")],
    )
    def test_what_no_list_names_is_never_public(self, folder, kind):
        assert kind_of(folder) == kind

    def test_a_channel_that_is_listed_as_private_too_is_private(self):
        assert kind_of("general", groups=[{"id": "G1", "name": "general"}]) == "private"

    @pytest.mark.parametrize("flag", ["is_private", "is_im", "is_mpim", "is_group"])
    def test_a_channel_that_is_flagged_as_closed_is_private(self, flag):
        assert kind_of("general", channels=[{**GENERAL, flag: True}]) == "private"

    def test_without_readable_lists_nothing_is_public(self):
        read = read_index([("users.json", as_json([ANN])), ("channels.json", b"[{")])
        assert read.unreadable == ("channels.json",)
        kind = conversation_kind("general", read.channels, read.groups, read.dms, read.mpims)
        assert kind is ConversationKind.PRIVATE


class TestBundle:
    def test_it_names_itself_first(self):
        made = make_bundle("general", index(), [])
        assert made.startswith(b'{"headwater_slack_conversation":1,')
        assert MEDIA_TYPE == "application/vnd.headwater.slack-conversation+json"

    def test_it_says_what_the_conversation_is(self):
        assert bundle()["conversation"] == {
            "id": "C0GENERAL",
            "name": "general",
            "kind": "public",
            "topic": "All of us",
            "purpose": "",
        }

    def test_direct_messages_are_named_by_their_members(self):
        dm = {"id": "D0ANNBOB1", "members": ["U0ANN", "U0BOB", "U0NOBODY", 7]}
        made = bundle(folder="D0ANNBOB1", dms=[dm])["conversation"]
        assert (made["name"], made["kind"]) == ("Ann Lee, Bob Ray", "dm")

    def test_equal_messages_give_equal_bytes_however_they_were_written(self):
        message = {"ts": "1.0", "user": "U0ANN", "text": "Grüße"}
        backwards = dict(reversed(message.items()))
        days = [("g/2024-03-05.json", as_json([message])), ("g/2024-03-06.json", as_json([]))]
        again = [
            ("other/2024-03-06.json", b"[ ]"),
            (
                "other/2024-03-05.json",
                json.dumps([backwards], ensure_ascii=False, indent=1).encode("utf-8-sig"),
            ),
        ]
        assert make_bundle("general", index(), days) == make_bundle("general", index(), again)

    def test_what_differs_from_export_to_export_is_not_in_it(self):
        file = {"title": "Plan", "url_private": "https://files.example/F1?t=xoxe-123"}
        message = {"ts": "1.0", "text": "See", "user": "U0ANN", "reactions": [{"count": 2}]}
        made = make_bundle(
            "general",
            index(),
            [("2024-03-05.json", as_json([{**message, "files": [file]}]))],
        )
        assert b"xoxe" not in made
        assert b"reactions" not in made
        assert b"Plan" in made

    def test_only_members_who_occur_are_in_it(self):
        users = [ANN, BOB, {"id": "U0NEW", "name": "new"}]
        messages = [{"ts": "1.0", "user": "U0ANN", "text": "Ask <@U0BOB>"}]
        assert bundle(*messages, users=users)["users"] == {"U0ANN": "Ann Lee", "U0BOB": "Bob Ray"}
        assert bundle(*messages, users=users) == bundle(*messages)

    def test_names_of_private_channels_are_not_in_it(self):
        messages = [{"ts": "1.0", "user": "U0ANN", "text": "<#G0SECRET> and <#C0GENERAL>"}]
        made = bundle(*messages, groups=[{"id": "G0SECRET", "name": "layoffs"}])
        assert made["channels"] == {"C0GENERAL": "general"}
        assert "layoffs" not in json.dumps(made)

    @pytest.mark.parametrize(
        "broken",
        [b"", b"[{", b"{}", b"7", b"\x00\xff\x00\x81", b"[" * 100_000, b"[" + b"9" * 9_000 + b"]"],
        ids=["empty", "cut", "object", "number", "bytes", "deep", "digits"],
    )
    def test_a_day_that_cannot_be_read_takes_no_other_with_it(self, broken):
        days = [
            ("general/2024-03-05.json", broken),
            ("general/2024-03-06.json", as_json([{"ts": "1.0", "text": "Hello"}])),
        ]
        made = json.loads(make_bundle("general", index(), days))
        assert made["days"] == {
            "2024-03-05": None,
            "2024-03-06": [{"ts": "1.0", "text": "Hello"}],
        }

    def test_a_message_that_is_nested_beyond_reason_makes_its_day_unreadable(self):
        deep: object = "x"
        for _ in range(60):
            deep = {"elements": [deep]}
        assert bundle({"ts": "1.0", "blocks": [deep]})["days"] == {"2024-03-05": None}

    def test_files_of_the_export_that_cannot_be_read_are_named_in_it(self):
        read = read_index([("users.json", b"oops"), ("channels.json", as_json([GENERAL, 5, None]))])
        made = json.loads(make_bundle("general", read, []))
        assert made["unreadable_files"] == ["users.json"]
        assert made["conversation"]["kind"] == "public"


def test_a_week_later_only_conversations_with_news_have_other_bytes():
    (_, _, before), (_, _, after) = export_of(WEEK_1), export_of(WEEK_2)
    assert before.keys() == after.keys()
    changed = {folder for folder in after if after[folder] != before[folder]}
    assert changed == {"general", "engineering"}


def test_in_a_real_export_each_conversation_has_its_kind():
    _, _, bundles = export_of(WEEK_1)
    kinds = {folder: json.loads(made)["conversation"]["kind"] for folder, made in bundles.items()}
    assert kinds == {
        "general": "public",
        "engineering": "public",
        "old-project": "public",
        "hr-private": "private",
        "D01ANABEN01": "dm",
        "mpdm-ana--ben--deng-1": "group_dm",
    }
