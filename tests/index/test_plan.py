"""The sync plan."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from index.identity import document_id
from index.plan import (
    EVERYTHING,
    Expectation,
    Known,
    Listed,
    Outcome,
    Plan,
    by_container,
    holds,
    make_plan,
    rules,
)  # fmt: skip
from parsers.reasons import Reason

EXPECTED = Expectation(lambda media_type: f"p:{media_type}", lambda m, code: f"f:{m}")


def listed(uri: str, token: str = "t1", **changes: str) -> Listed:
    return Listed(uri, f"/{uri}", 1, None, token, **changes)


def known(uri: str, **changes: object) -> Known:
    indexed = Known(
        document_id("s", uri),
        uri,
        Outcome.INDEXED,
        "t1",
        True,
        "hash",
        1,
        "text/plain",
        "p:text/plain",
        True,
        None,
    )
    return replace(indexed, **changes)


def bad(uri: str, code: Reason = Reason.CORRUPT) -> Known:
    return known(
        uri,
        outcome=Outcome.QUARANTINED,
        code=code,
        searchable=False,
        parser_key="f:text/plain",
    )


def plan(listing: list[Listed], before: list[Known], **options: object) -> Plan:
    return make_plan(listing, {one.uri: one for one in before}, EXPECTED, **options)  # type: ignore[arg-type]


def test_a_new_document_is_read():
    assert plan([listed("a")], []).read == (listed("a"),)


def test_an_unchanged_document_is_not_read():
    made = plan([listed("a")], [known("a")])
    assert (made.read, made.unchanged) == ((), (known("a"),))


def test_an_unchanged_document_is_read_if_asked():
    assert plan([listed("a")], [known("a")], verify=True).read


def test_a_document_that_was_read_too_soon_after_it_was_written_is_read_again():
    assert plan([listed("a")], [known("a", stat_trusted=False)]).read


def test_another_parser_reads_it_again():
    assert plan([listed("a")], [known("a", parser_key="p:old")]).read


def test_a_known_bad_document_is_not_tried_again():
    made = plan([listed("a")], [bad("a")])
    assert (made.read, made.still_quarantined) == ((), (bad("a"),))


def test_a_known_bad_document_is_tried_again_when_something_changed_that_could_help():
    assert plan([listed("a", token="t2")], [bad("a")]).read
    assert plan([listed("a")], [replace(bad("a"), parser_key="f:old")]).read


def test_what_the_world_is_to_blame_for_is_tried_again():
    assert plan([listed("a")], [bad("a", Reason.SOURCE_UNREADABLE)]).read


def test_a_document_that_is_listed_no_more_is_removed():
    assert plan([], [known("a")]).removed == (known("a"),)


def test_documents_below_a_folder_that_cannot_be_listed_are_not_removed():
    made = plan([listed("x/", unreadable="permission denied")], [known("x/a"), known("y/b")])
    assert made.removed == (known("y/b"),)
    assert made.n_found == 1


def test_rules_exclude_and_say_which_they_are():
    made = plan(
        [listed("a.tmp"), listed("b/c.md"), listed("pipe", skip_rule="not a regular file")],
        [],
        include=["**/*.md", "**/*.tmp"],
        exclude=["**/*.tmp"],
    )
    assert {skip.listed.uri: skip.rule for skip in made.skipped} == {
        "a.tmp": "exclude **/*.tmp",
        "pipe": "not a regular file",
    }
    assert [one.uri for one in made.read] == ["b/c.md"]
    assert plan([listed("a")], [], include=["**/*.md"]).skipped[0].rule == "not in include"


def test_a_document_that_a_new_rule_excludes_is_retired_once():
    assert plan([listed("a")], [known("a")], exclude=["a"]).retired == (known("a"),)
    skipped = known("a", outcome=Outcome.SKIPPED, searchable=False)
    assert plan([listed("a")], [skipped], exclude=["a"]).retired == ()
    assert plan([listed("a")], [skipped]).read


def test_bytes_that_are_what_they_were_need_no_work():
    assert holds(known("a"), (), EXPECTED, rules(EVERYTHING, ()))
    assert not holds(known("a", parser_key="p:old"), (), EXPECTED, rules(EVERYTHING, ()))


def test_a_container_without_text_of_its_own_holds():
    assert plan([listed("a")], [known("a", searchable=False)]).unchanged


INSIDE = [known("a.zip"), known("a.zip!/x"), known("a.zip!/b.zip"), known("a.zip!/b.zip!/y")]


def test_members_of_a_container_that_did_not_change_are_found_and_not_read():
    made = plan([listed("a.zip")], INSIDE)
    assert made.unchanged == tuple(INSIDE)
    assert (made.n_found, made.read, made.removed) == (4, (), ())


def test_a_container_is_read_when_one_of_its_members_has_to_be():
    old = known("a.zip!/b.zip!/y", parser_key="p:old")
    made = plan([listed("a.zip")], [*INSIDE[:3], old])
    assert made.read == (listed("a.zip"),)
    assert made.removed == made.unchanged == ()


def test_members_go_with_their_container():
    assert set(plan([listed("z")], INSIDE).removed) == set(INSIDE)
    made = plan([listed("a.zip")], INSIDE, exclude=["*.zip"])
    assert made.retired == (INSIDE[0],)
    assert made.removed == tuple(INSIDE[1:])


def test_a_rule_on_members_that_changed_reads_their_container():
    assert plan([listed("a.zip")], INSIDE, exclude=["**/x"]).read
    skipped = known("a.zip!/x", outcome=Outcome.SKIPPED)
    family = [INSIDE[0], skipped, *INSIDE[2:]]
    assert plan([listed("a.zip")], family).read
    held = plan([listed("a.zip")], family, exclude=["**/x"])
    assert (held.still_skipped, held.n_found, held.read) == ((skipped,), 4, ())


def test_a_file_beside_a_container_is_no_member_of_it():
    made = plan(
        [listed("a.zip"), listed("a.zip.txt")], [*INSIDE, known("a.zip.txt", stat_token="0")]
    )
    assert made.read == (listed("a.zip.txt"),)


def test_what_was_gathered_from_a_folder_that_cannot_be_listed_stays():
    unlisted = listed("slack/general/", unreadable="denied")
    made = plan([unlisted], [known("slack/general"), known("slack/generals")])
    assert [one.uri for one in made.removed] == ["slack/generals"]


def test_a_rule_on_a_folder_excludes_what_was_gathered_from_it():
    gathered = replace(listed("slack/hr"), parts=(listed("slack/hr/2024-01-01.json"),))
    for pattern in ("slack/hr/**", "slack/**", "**/hr/**"):
        assert plan([gathered], [], exclude=[pattern]).skipped
    assert plan([gathered], [], include=["**/*.json"]).read == (gathered,)
    assert plan([listed("box.zip/x"), listed("boxes")], [], exclude=["box/**"]).skipped == ()


def test_everything_known_is_inside_of_what_its_uri_says():
    assert by_container(INSIDE) == {"a.zip": INSIDE[1:], "a.zip!/b.zip": INSIDE[3:]}


URIS = st.sampled_from(["a", "b", "c/d", "c/e", "f.tmp"])
LISTINGS = st.dictionaries(URIS, st.sampled_from(["t1", "t2"]))
BEFORE = st.dictionaries(
    URIS,
    st.tuples(
        st.sampled_from([Outcome.INDEXED, Outcome.PARTIAL, Outcome.QUARANTINED, Outcome.SKIPPED]),
        st.booleans(),
        st.sampled_from(["p:text/plain", "f:text/plain", "p:old"]),
        st.booleans(),
        st.sampled_from([None, Reason.CORRUPT, Reason.SOURCE_UNREADABLE]),
    ),
)


@given(LISTINGS, BEFORE, st.booleans())
def test_every_document_listed_is_in_exactly_one_part_of_the_plan(listing, before, verify):
    documents = [
        known(uri, outcome=o, stat_trusted=t, parser_key=k, searchable=s, code=c)
        for uri, (o, t, k, s, c) in before.items()
    ]
    made = plan(
        [listed(u, t) for u, t in listing.items()], documents, exclude=["*.tmp"], verify=verify
    )
    parts = [
        *(one.uri for one in made.read),
        *(one.uri for one in made.unchanged),
        *(one.uri for one in made.still_quarantined),
        *(one.listed.uri for one in made.skipped),
    ]
    assert sorted(parts) == sorted(listing)
    assert made.n_found == len(listing)
    assert {one.uri for one in made.removed} == set(before) - set(listing)
