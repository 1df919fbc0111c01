"""Freshness: states, percentiles, and how time counts against the objective."""

from datetime import UTC, datetime, timedelta

import pytest

from checks.error_budget import Budget, Spans, spend
from checks.freshness import (
    Clocks,
    FreshnessState,
    Objective,
    judge_freshness,
    percentiles,
    share_within,
    time_to_breach,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OBJECTIVE = Objective(warn_after=2 * HOUR, error_after=24 * HOUR)


def clocks(*, check_failed: bool = False, **hours_ago: float) -> Clocks:
    def ago(name: str) -> datetime | None:
        return NOW - hours_ago[name] * HOUR if name in hours_ago else None

    return Clocks(
        last_check=ago("complete_as_of"),
        last_success=ago("complete_as_of"),
        newest_change_seen=None,
        newest_change_searchable=None,
        oldest_change_waiting=ago("oldest_change_waiting"),
        complete_as_of=ago("complete_as_of"),
        check_failed=check_failed,
    )


@pytest.mark.parametrize(
    ("known", "state"),
    [
        (clocks(), FreshnessState.UNKNOWN),
        (clocks(check_failed=True), FreshnessState.UNKNOWN),
        (clocks(complete_as_of=0), FreshnessState.FRESH),
        (clocks(complete_as_of=2), FreshnessState.FRESH),
        (clocks(complete_as_of=3), FreshnessState.WARNING),
        (clocks(complete_as_of=25), FreshnessState.ERROR),
        (clocks(complete_as_of=0.5, check_failed=True), FreshnessState.UNKNOWN),
        (clocks(complete_as_of=3, check_failed=True), FreshnessState.UNKNOWN),
        (clocks(complete_as_of=25, check_failed=True), FreshnessState.ERROR),
        (clocks(complete_as_of=0, oldest_change_waiting=5), FreshnessState.WARNING),
        (clocks(complete_as_of=0, oldest_change_waiting=30), FreshnessState.ERROR),
        (clocks(complete_as_of=-1), FreshnessState.FRESH),
    ],
)
def test_the_state_of_a_source(known, state):
    assert judge_freshness(known, NOW, OBJECTIVE) is state


@pytest.mark.parametrize(
    ("known", "hours"),
    [
        (clocks(), None),
        (clocks(complete_as_of=4), 20),
        (clocks(complete_as_of=0, oldest_change_waiting=23), 1),
        (clocks(complete_as_of=30), -6),
    ],
)
def test_the_time_that_is_left_until_the_objective_is_missed(known, hours):
    left = time_to_breach(known, NOW, OBJECTIVE)
    assert left == (None if hours is None else hours * HOUR)


def test_percentiles_are_values_that_occurred():
    found = percentiles([float(n) for n in range(1, 101)])
    assert found is not None
    assert (found.p50, found.p95, found.p99, found.max) == (50, 95, 99, 100)
    assert percentiles([]) is None
    only = percentiles([7.0])
    assert only is not None
    assert (only.p50, only.p95, only.p99, only.max) == (7, 7, 7, 7)
    few = percentiles([3.0, 1.0, 2.0])
    assert few is not None
    assert (few.p50, few.p95) == (2, 3)


def test_changes_that_wait_count_once_they_are_late():
    assert share_within(0, 0, 0) is None
    assert share_within(2, 3, 0) == pytest.approx(2 / 3)
    assert share_within(2, 3, 1) == pytest.approx(0.5)
    assert share_within(0, 0, 2) == 0


@pytest.mark.parametrize(
    ("known", "spans"),
    [
        (clocks(), Spans(unknown_s=36_000)),
        (clocks(complete_as_of=0), Spans(within_s=36_000)),
        (clocks(complete_as_of=20), Spans(within_s=4 * 3600, outside_s=6 * 3600)),
        (clocks(complete_as_of=40), Spans(outside_s=36_000)),
        (
            clocks(complete_as_of=20, check_failed=True),
            Spans(unknown_s=4 * 3600, outside_s=6 * 3600),
        ),
    ],
)
def test_time_counts_by_what_was_known_when_it_began(known, spans):
    assert spend(known, NOW, NOW + 10 * HOUR, OBJECTIVE) == spans


def test_a_budget_is_used_up_by_what_is_not_known_to_be_within():
    budget = Budget(Spans(within_s=995, outside_s=3, unknown_s=2), target=0.99)
    assert budget.share_within == pytest.approx(0.995)
    assert budget.left == pytest.approx(0.5)
    overdrawn = Budget(Spans(within_s=98, outside_s=2), target=0.99)
    assert overdrawn.left == pytest.approx(-1)
    assert Budget(Spans(), target=0.99).share_within is None
    assert Budget(Spans(within_s=1), target=1).left is None
