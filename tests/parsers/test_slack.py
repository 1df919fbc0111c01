"""Conversations: threads and stretches of talk, readable, complete, and stable as they grow."""

import json
import time
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chunking import Chunk, ChunkerSettings, chunk_document
from index.embedding import DEFAULT_MODEL, find_model
from index.tokens import TokenCounter
from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt
from parsers.slack import parser as slack
from parsers.slack.export import MEDIA_TYPE, find_exports, make_bundle, read_index
from tests.conftest import ROOT

NINE = 1_709_629_200
"""2024-03-05 09:00 UTC."""
USERS = [
    {"id": "U0ANN", "name": "ann", "profile": {"display_name": "Ann Lee"}},
    {"id": "U0BOB", "name": "bob", "profile": {"display_name": "", "real_name": "Bob Ray"}},
    {"id": "U0GONE", "name": "gone", "deleted": True, "real_name": "Gil Gone"},
    {"id": "U0BOT", "name": "deploys", "is_bot": True},
]
INDEX = read_index(
    [
        ("users.json", json.dumps(USERS).encode()),
        ("channels.json", b'[{"id": "C0GEN", "name": "general"}, {"id": "C0OPS", "name": "ops"}]'),
    ]
)


def said(text: object = "Words.", minute: float = 0, user: str = "U0ANN", **more: object) -> dict:
    """A message, so many minutes after nine; `to` is the minute of the one that it answers."""
    if "to" in more:
        more["thread_ts"] = f"{NINE + more.pop('to') * 60:.6f}"
    ts = f"{NINE + minute * 60:.6f}"
    return {"type": "message", "user": user, "text": text, "ts": ts} | more


def read(data: bytes, **options: bool) -> ParsedDocument:
    return slack.parse(ParseTask(data, MEDIA_TYPE, ParseOptions(**options)))


def parse(*messages: object, **options: bool) -> ParsedDocument:
    days = [("general/2024-03-05.json", json.dumps(messages).encode())]
    return read(make_bundle("general", INDEX, days), **options)


def lines(document: ParsedDocument) -> list[str]:
    """What was said, without who said it."""
    written = [b for b in document.blocks if b.kind is BlockKind.PARAGRAPH]
    return [document.text[b.start : b.end].split("): ", 1)[1] for b in written]


def words(text: object = "", **more: object) -> str:
    return lines(parse(said(text, **more), include_bots=True))[0]


def headings(document: ParsedDocument) -> list[str]:
    return [b.label for b in document.blocks if b.kind is BlockKind.HEADING and b.level == 2]


def sections(document: ParsedDocument) -> list[str]:
    """The text under each heading."""
    starts = [b.start for b in document.blocks if b.kind is BlockKind.HEADING and b.level == 2]
    ends = [*starts, len(document.text)][1:]
    return [document.text[start:end].strip() for start, end in zip(starts, ends, strict=True)]


class TestConversation:
    def test_it_is_a_channel_with_who_said_what_when(self):
        document = parse(said("Hello", 2), said("Hi", 31, "U0BOB"))
        assert document.title == "#general"
        assert document.text == (
            "#general\n\n2024-03-05 09:02–09:31 UTC · Ann Lee, Bob Ray\n\n"
            "Ann Lee (2024-03-05 09:02): Hello\n\nBob Ray (2024-03-05 09:31): Hi"
        )
        levels = [b.level for b in document.blocks]
        assert levels == [1, 2, 0, 0]

    def test_its_properties_say_who_when_and_how_much(self):
        document = parse(said("Hello"), said("Hi", 5, "U0BOB", edited={"ts": "1.0"}))
        assert document.properties == {
            "channel": "general",
            "kind": "public",
            "participants": "Ann Lee, Bob Ray",
            "first_message": "2024-03-05T09:00:00+00:00",
            "last_message": "2024-03-05T09:05:00+00:00",
            "n_messages": "2",
            "n_edited": "1",
        }

    def test_reading_it_twice_gives_the_same(self):
        messages = [said(str(n), n * 7, "U0BOB") for n in range(50)]
        assert parse(*messages) == parse(*reversed(messages))

    def test_where_nobody_wrote_there_is_no_text(self):
        assert parse().text == ""
        document = parse(said("<@U0ANN> has joined the channel", subtype="channel_join"))
        assert document.text == ""
        assert document.properties["n_service_messages_left_out"] == "1"

    @pytest.mark.parametrize(
        "subtype", ["channel_leave", "channel_topic", "group_archive", "bot_add", "tombstone"]
    )
    def test_what_nobody_wrote_is_left_out_and_counted(self, subtype):
        document = parse(said("Noise", subtype=subtype), said("Words"))
        assert lines(document) == ["Words"]
        assert document.properties["n_service_messages_left_out"] == "1"

    def test_a_kind_of_message_that_is_not_known_is_kept(self):
        assert lines(parse(said("Words", subtype="invented_next_year"))) == ["Words"]

    def test_a_message_that_is_there_twice_is_read_once(self):
        assert lines(parse(said("Once"), said("Once"))) == ["Once"]


class TestBots:
    @pytest.mark.parametrize(
        "of_bot",
        [
            {"subtype": "bot_message", "user": "", "username": "deploys"},
            {"user": "U0BOT", "bot_id": "B01"},
            {"user": "U0ELSE", "bot_id": "B01", "bot_profile": {"name": "deploys"}},
        ],
        ids=["old", "member", "outside"],
    )
    def test_bots_are_left_out_and_counted_unless_asked_for(self, of_bot):
        messages = [said("Words"), said("Deployed", 1) | of_bot]
        document = parse(*messages)
        assert lines(document) == ["Words"]
        assert document.properties["n_bot_messages_left_out"] == "1"
        assert "deploys (2024-03-05 09:01): Deployed" in parse(*messages, include_bots=True).text

    def test_a_member_who_writes_through_an_app_is_no_bot(self):
        assert lines(parse(said("Words", bot_id="B01"))) == ["Words"]

    def test_the_blocks_of_an_app_stand_for_its_fallback_text(self):
        blocks = [
            {"type": "header", "text": {"type": "plain_text", "text": "Build &lt;7&gt;"}},
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "by <@U0BOB>"}]},
            {"type": "actions", "elements": [{"type": "button", "text": "Retry"}]},
        ]
        assert words("A build", blocks=blocks) == "Build <7>\nby @Bob Ray"

    def test_attachments_are_read_where_the_text_is_empty_or_their_fallback(self):
        attachment = {
            "fallback": "Deploy failed",
            "title": "Deploy api",
            "text": "after 3 s",
            "fields": [{"title": "Env", "value": "prod"}],
        }
        told = "Deploy api\nafter 3 s\nEnv: prod"
        assert words("", attachments=[attachment]) == told
        assert words("Deploy failed", attachments=[attachment]) == told
        assert words("", attachments=[{"fallback": "Only this"}]) == "Only this"


class TestSections:
    def test_a_thread_has_all_its_answers_wherever_they_are(self):
        days = [
            [said("Question?", 0), said("By the way", 1)],
            [said("Late answer", 3 * 24 * 60, "U0BOB", to=0)],
        ]
        names = ("general/2024-03-05.json", "general/2024-03-08.json")
        files = [(name, json.dumps(day).encode()) for name, day in zip(names, days, strict=True)]
        document = read(make_bundle("general", INDEX, files))
        assert lines(document) == ["Question?", "Late answer", "By the way"]
        assert headings(document) == [
            "2024-03-05 09:00 – 2024-03-08 09:00 UTC · Ann Lee, Bob Ray",
            "2024-03-05 09:01 UTC · Ann Lee",
        ]

    def test_answers_stay_together_though_their_question_is_gone(self):
        document = parse(said("One", 5, to=0), said("Between", 6), said("Two", 7, to=0))
        assert lines(document) == ["One", "Two", "Between"]

    def test_an_answer_that_was_sent_to_the_channel_too_stays_in_its_thread(self):
        answer = said("Answer", 9, "U0BOB", to=0, subtype="thread_broadcast")
        assert len(headings(parse(said("Question?"), said("Other", 4), answer))) == 2

    def test_half_an_hour_of_silence_begins_a_new_stretch(self):
        assert len(headings(parse(said(minute=0), said(minute=29.9)))) == 1
        assert len(headings(parse(said(minute=0), said(minute=30)))) == 2

    def test_midnight_begins_a_new_stretch(self):
        assert len(headings(parse(said(minute=14 * 60 + 59), said(minute=15 * 60 + 1)))) == 2

    def test_a_stretch_has_twenty_messages_at_most(self):
        messages = [said(minute=minute) for minute in range(45)]
        counts = [part.count("Words.") for part in sections(parse(*messages))]
        assert counts == [20, 20, 5]

    def test_a_heading_stays_short_with_many_people(self):
        messages = [said("Hi", n, f"U0X{n}", user_profile={"name": f"p{n}"}) for n in range(9)]
        assert headings(parse(*messages)) == ["2024-03-05 09:00–09:08 UTC · p0, p1, p2, p3 +5"]

    @given(gaps=st.lists(st.integers(1, 45), min_size=1, max_size=60), answers=st.booleans())
    def test_a_new_message_changes_only_the_section_that_it_joins(self, gaps, answers):
        minutes = list(accumulate(gaps))
        talk = [said(), said(minute=0.5, to=0), *(said(minute=minute) for minute in minutes)]
        new = said("New", minutes[-1] + 1, **({"to": 0} if answers else {}))
        before, after = (sections(parse(*messages)) for messages in (talk, [*talk, new]))
        assert len(set(before) - set(after)) <= 1
        assert len(set(after) - set(before)) == 1


class TestWords:
    @pytest.mark.parametrize(
        ("markup", "shown"),
        [
            ("<@U0BOB>, ask <@U0GONE>", "@Bob Ray, ask @Gil Gone"),
            ("<@U0WHO|cy> <@U0WHO>", "@cy @U0WHO"),
            ("<#C0OPS> <#C0OPS|> <#C9|old> <#C9>", "#ops #ops #old #C9"),
            ("<!here> <!channel|channel> <!subteam^S1|@devs>", "@here @channel @devs"),
            ("<!date^1709629200^{date}|5 March>", "5 March"),
            ("<!date^1709629200^{date}>", "2024-03-05 09:00 UTC"),
            ("<!date^99999999999999999999^{date}>", "99999999999999999999"),
            ("<https://a.example/x|the plan>", "the plan (https://a.example/x)"),
            ("<https://a.example|a.example>", "https://a.example"),
            ("<https://a.example/?a=1&amp;b=2>", "https://a.example/?a=1&b=2"),
            ("<mailto:ann@a.example|ann@a.example>", "ann@a.example"),
            ("1 &lt; 2 &amp;amp; :+1: *bold* &nbsp;", "1 < 2 &amp; :+1: *bold* &nbsp;"),
        ],
    )
    def test_markup_becomes_readable(self, markup, shown):
        assert words(markup) == shown

    def test_rich_text_stands_in_for_text_that_is_missing(self):
        def part(kind: str, *elements: dict, **more: object) -> dict:
            return {"type": kind, "elements": list(elements), **more}

        plain = [{"type": "text", "text": word} for word in ("one ", "a < b", "x = 1", "said")]
        inline = [
            {"type": "user", "user_id": "U0BOB"},
            {"type": "link", "url": "https://a.example", "text": "here"},
            {"type": "emoji", "name": "wave"},
            {"type": "broadcast", "range": "here"},
            {"type": "channel", "channel_id": "C0OPS"},
        ]
        section = part("rich_text_section", plain[0], *inline)
        rich = part(
            "rich_text",
            section,
            part("rich_text_list", part("rich_text_section", plain[1]), style="ordered"),
            part("rich_text_preformatted", plain[2]),
            part("rich_text_quote", plain[3]),
        )
        assert words("", blocks=[rich]) == (
            "one @Bob Rayhere (https://a.example):wave:@here#ops\n1. a < b\n```\nx = 1\n```\n> said"
        )
        assert words("Told", blocks=[rich]) == "Told"

    def test_files_are_named(self):
        files = [{"title": "Post-mortem", "name": "pm.md"}, {"name": "a.png", "title": "a.png"}]
        shown = "Notes\n[file: Post-mortem, pm.md]\n[file: a.png]"
        assert words("Notes", files=files) == shown
        assert words("", files=[{"name": "only.png"}]) == "[file: only.png]"

    def test_a_file_of_an_old_export_is_named_once(self):
        text = "<@U0ANN> uploaded a file: <https://s.example/plan.js|Plan>"
        shown = words(text, subtype="file_share", file={"name": "plan.js", "title": "Plan"})
        assert shown == "@Ann Lee uploaded a file: Plan (https://s.example/plan.js)"

    def test_previews_of_links_are_left_out(self):
        preview = {"from_url": "https://a.example", "title": "A page", "text": "Its summary"}
        assert words("See <https://a.example>", attachments=[preview]) == "See https://a.example"

    def test_who_is_not_in_the_export_has_the_name_that_the_message_gives(self):
        profile = {"display_name": "", "real_name": "Out Sider"}
        document = parse(said("Hi", user="U0OUT", user_profile=profile))
        assert document.properties["participants"] == "Out Sider"

    def test_a_comment_on_a_file_has_its_author(self):
        comment = said("Nice", subtype="file_comment", comment={"user": "U0BOB"}, user="")
        assert parse(comment).properties["participants"] == "Bob Ray"


class TestDamage:
    def test_messages_that_are_none_are_counted_and_the_others_read(self):
        broken = [
            7,
            None,
            {"text": "No time"},
            said("x") | {"ts": "soon"},
            said("x") | {"ts": True},
            said(["not", "text"]),
        ]
        document = parse(*broken, said("Words"))
        assert lines(document) == ["Words"]
        assert document.losses == (f"{len(broken)} messages",)

    def test_parts_of_wrong_types_lose_no_words(self):
        wrong = {"user_profile": "x", "bot_profile": [1], "comment": 3, "blocks": {"a": 1}}
        wrong |= {"attachments": "x", "files": [4, {"name": 5}], "file": [], "thread_ts": {}}
        assert lines(parse(said("Words", **wrong))) == ["Words"]

    def test_a_day_that_cannot_be_read_is_named(self):
        days = [
            ("general/2024-03-04.json", b"[{"),
            ("general/2024-03-05.json", json.dumps([said("Words")]).encode()),
        ]
        document = read(make_bundle("general", INDEX, days))
        assert lines(document) == ["Words"]
        assert document.losses == ("the day 2024-03-04",)

    def test_missing_names_of_members_are_admitted(self):
        index = read_index([("users.json", b"?"), ("channels.json", b"[]")])
        days = [("general/2024-03-05.json", json.dumps([said("Words")]).encode())]
        document = read(make_bundle("general", index, days))
        assert document.losses == ("the names in users.json",)
        assert document.properties["participants"] == "U0ANN"

    @pytest.mark.parametrize("day", [b"[{", b"[7, null]", b'[{"text": "x"}]'])
    def test_where_nothing_can_be_read_it_is_corrupt(self, day):
        with pytest.raises(Corrupt):
            read(make_bundle("general", INDEX, [("general/2024-03-05.json", day)]))

    @pytest.mark.parametrize(
        "data",
        [
            b"no json",
            b"[]",
            b'{"headwater_slack_conversation": 2, "days": {}}',
            b'{"headwater_slack_conversation": 1}',
            b'{"headwater_slack_conversation": 1, "days": [1]}',
            b'{"headwater_slack_conversation": 1, "days": ' + b"[" * 200_000,
        ],
    )
    def test_what_is_no_bundle_is_corrupt(self, data):
        with pytest.raises(Corrupt):
            read(data)

    def test_a_forged_bundle_that_is_too_deep_loses_only_that_message(self):
        deep = '{"elements": [' * 300 + '"x"' + "]}" * 300
        forged = json.dumps({**said(""), "blocks": ["DEEP"]}).replace('"DEEP"', deep)
        head = '{"headwater_slack_conversation": 1, "conversation": 5, "users": [], "days": '
        data = f'{head}{{"d": [{forged}, {json.dumps(said("Words"))}]}}}}'.encode()
        document = read(data)
        assert lines(document) == ["Words"]
        assert document.losses == ("1 messages",)

    @pytest.mark.parametrize("unit", ["<", "<a|b", "<!date^", "&amp;", "|>", "<@U0ANN> "])
    def test_a_megabyte_of_markup_is_read_within_seconds(self, unit):
        started = time.monotonic()
        parse(said("x" + unit * (1_000_000 // len(unit))))
        assert time.monotonic() - started < 3


def chunks_of(folder: Path) -> dict[str, list[Chunk]]:
    """By conversation, as the default model would get them."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    (export,) = find_exports(files)
    index = read_index((path, files[path]) for path in export.shared)
    model = find_model(DEFAULT_MODEL)
    counter = TokenCounter(model.folder / "tokenizer.json", model.window)
    return {
        conversation.folder: chunk_document(
            read(
                make_bundle(
                    conversation.folder, index, [(day, files[day]) for day in conversation.days]
                )
            ),
            counter,
            ChunkerSettings(),
        )
        for conversation in export.conversations
    }


def test_a_week_later_only_what_was_written_edited_or_deleted_is_embedded_again():
    weeks = [chunks_of(ROOT / "tests" / "fixtures" / f"slack_week{n}") for n in (1, 2)]
    before, after = ({c.embedding_text for cs in week.values() for c in cs} for week in weeks)
    new, gone = after - before, before - after
    assert len(new) == 3
    assert len(gone) == 2
    assert sum("and the warehouse" in text and "Booked, thanks" in text for text in new) == 1
    assert sum("New travel policy" in text for text in new) == 1
    assert sum("Fix is live" in text and "p95 is back" in text for text in new) == 1
    assert sum("staging password" in text for text in gone) == 1
    assert not any("staging password" in text or "was deleted" in text for text in after)


def test_a_chunk_is_a_section_and_bears_its_heading():
    (first, second) = chunks_of(ROOT / "tests" / "fixtures" / "slack_week2")["general"]
    assert first.text.startswith("#general\n\n2024-03-04 09:00 – 2024-03-12 11:00 UTC")
    assert second.heading_path == ("#general", "2024-03-11 09:00 UTC · chloe")
