"""Balance and the removal guard."""

import pytest

from checks.balance import is_balanced, judge_run, trips_removal_guard
from index.catalog.runs import RunState
from index.plan import Outcome


def test_every_document_found_has_one_outcome():
    outcomes = {
        Outcome.INDEXED: 1,
        Outcome.PARTIAL: 1,
        Outcome.UNCHANGED: 1,
        Outcome.QUARANTINED: 1,
        Outcome.SKIPPED: 1,
        Outcome.REMOVED: 7,
    }
    assert is_balanced(5, outcomes)
    assert not is_balanced(6, outcomes)
    assert not is_balanced(4, outcomes)


def test_nothing_found_balances():
    assert is_balanced(0, {})


@pytest.mark.parametrize(
    ("balanced", "guarded", "outcomes", "state"),
    [
        (True, False, {Outcome.INDEXED: 3}, RunState.COMPLETED),
        (True, False, {}, RunState.COMPLETED),
        (True, False, {Outcome.SKIPPED: 1}, RunState.COMPLETED),
        (True, False, {Outcome.PARTIAL: 1}, RunState.COMPLETED_WITH_ERRORS),
        (True, False, {Outcome.QUARANTINED: 1}, RunState.COMPLETED_WITH_ERRORS),
        (False, False, {Outcome.INDEXED: 3}, RunState.FAILED),
        (True, True, {Outcome.INDEXED: 3}, RunState.FAILED),
    ],
)
def test_what_a_run_amounts_to(balanced, guarded, outcomes, state):
    assert judge_run(balanced=balanced, guarded=guarded, outcomes=outcomes) is state


@pytest.mark.parametrize(
    ("n_known", "n_removed", "n_found", "trips"),
    [
        (100, 0, 100, False),
        (100, 30, 70, False),
        (100, 31, 69, True),
        (2, 1, 1, False),
        (3, 2, 1, True),
        (1, 1, 0, True),
        (100, 100, 0, True),
        (100, 100, 100, True),
        (0, 0, 0, False),
    ],
)
def test_the_removal_guard_tells_an_outage_from_a_clean_up(n_known, n_removed, n_found, trips):
    assert trips_removal_guard(n_known, n_removed, n_found=n_found, max_share=0.3) is trips
