"""What one run does of a plan, and what it leaves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from index.pacing import NOTHING_LEFT, Left, paced, what_is_left
from index.plan import Known, Listed, Outcome, Plan, make_plan
from parsers.reasons import Reason
from tests.index.test_plan import EXPECTED

START = datetime(2026, 1, 1, tzinfo=UTC)


def listed(number: int, *, hours: float | None = 0) -> Listed:
    changed_at = None if hours is None else START + timedelta(hours=hours)
    return Listed(f"{number:03d}.md", f"/{number}", 1, changed_at, f"token {number}")


def plan_of(*documents: Listed) -> Plan:
    return make_plan(documents, {}, EXPECTED)


def failed(document: Listed) -> Known:
    return Known(
        document_id=document.uri,
        uri=document.uri,
        outcome=Outcome.QUARANTINED,
        stat_token=document.stat_token,
        stat_trusted=True,
        sha256=None,
        n_bytes=document.n_bytes,
        media_type="",
        parser_key="",
        searchable=False,
        code=Reason.SOURCE_UNREADABLE,
    )


def uris(documents: tuple[Listed, ...]) -> list[str]:
    return [one.uri for one in documents]


def test_those_that_wait_for_the_longest_are_read_first():
    plan = plan_of(listed(1, hours=3), listed(2, hours=1), listed(3, hours=2))
    done = paced(plan, {}, 2)
    assert (uris(done.read), uris(done.left)) == (["002.md", "003.md"], ["001.md"])


def test_without_a_bound_or_within_it_nothing_is_left():
    plan = plan_of(listed(1), listed(2))
    assert paced(plan, {}, None) is paced(plan, {}, 2) is plan
    assert what_is_left(plan) == NOTHING_LEFT


def test_what_cannot_be_read_keeps_nothing_else_out():
    bad = [listed(number, hours=-100) for number in range(5)]
    plan = plan_of(*bad, listed(7))
    known = {one.uri: failed(one) for one in bad}
    assert uris(paced(plan, known, 1).read) == ["007.md"]
    changed = known | {"003.md": replace(known["003.md"], stat_token="before")}
    assert uris(paced(plan, changed, 1).read) == ["003.md"]


def test_how_old_what_is_left_is_is_known_only_if_all_times_are():
    dated = paced(plan_of(listed(1), listed(2, hours=1), listed(3, hours=2)), {}, 1)
    assert what_is_left(dated) == Left(2, START + timedelta(hours=1))
    undated = paced(plan_of(listed(1, hours=None), listed(2, hours=None)), {}, 1)
    assert what_is_left(undated) == Left(1, None)


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(1, 12))
def test_every_document_is_read_or_left_and_rounds_come_to_an_end(hours, at_once):
    plan = plan_of(*(listed(number, hours=hour) for number, hour in enumerate(hours)))
    found, rounds = plan.n_found, 0
    while plan.read:
        done = paced(plan, {}, at_once)
        assert done.n_found == len(plan.read)
        assert sorted(uris(done.read) + uris(done.left)) == uris(plan.read)
        assert len(done.read) == min(at_once, len(plan.read))
        plan, rounds = plan_of(*done.left), rounds + 1
    assert rounds == -(-found // at_once)
