"""Freshness."""

from datetime import UTC, datetime, timedelta

import pytest

from checks.freshness import Clocks, FreshnessState, judge_freshness, percentiles

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def clocks(**hours_ago: float | None) -> Clocks:
    names = ("last_check", "last_success", "oldest_change_waiting")
    times = {n: None if hours_ago.get(n) is None else NOW - hours_ago[n] * HOUR for n in names}
    return Clocks(newest_change_seen=None, newest_change_searchable=None, **times)


@pytest.mark.parametrize(
    ("times", "state"),
    [
        ({}, FreshnessState.UNKNOWN),
        ({"last_check": 0}, FreshnessState.UNKNOWN),
        ({"last_check": 0, "last_success": 0}, FreshnessState.FRESH),
        ({"last_check": 0, "last_success": 3}, FreshnessState.WARNING),
        ({"last_check": 0, "last_success": 25}, FreshnessState.ERROR),
        ({"last_check": 2, "last_success": 2}, FreshnessState.FRESH),
        (
            {"last_check": 0, "last_success": 0, "oldest_change_waiting": 5},
            FreshnessState.WARNING,
        ),
        (
            {"last_check": 0, "last_success": 0, "oldest_change_waiting": 30},
            FreshnessState.ERROR,
        ),
    ],
)
def test_the_state_of_a_source(times, state):
    judged = judge_freshness(clocks(**times), NOW, warn_after=2 * HOUR, error_after=24 * HOUR)
    assert judged is state


def test_percentiles_are_values_that_occurred():
    found = percentiles([float(n) for n in range(1, 101)])
    assert found is not None
    assert (found.p50, found.p95, found.max) == (50, 95, 100)
    assert percentiles([]) is None
    only = percentiles([7.0])
    assert only is not None
    assert (only.p50, only.p95, only.max) == (7, 7, 7)
