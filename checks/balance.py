"""Whether every document that was found came to exactly one outcome, and what a run amounts to."""

from collections.abc import Mapping

from index.catalog.runs import RunState
from index.plan import Outcome

_OF_FOUND = (
    Outcome.INDEXED,
    Outcome.PARTIAL,
    Outcome.UNCHANGED,
    Outcome.QUARANTINED,
    Outcome.SKIPPED,
    Outcome.LEFT,
)


def is_balanced(n_found: int, outcomes: Mapping[Outcome, int]) -> bool:
    """Found = indexed + partial + unchanged + quarantined + skipped + left."""
    return n_found == sum(outcomes.get(outcome, 0) for outcome in _OF_FOUND)


def judge_run(*, balanced: bool, guarded: bool, outcomes: Mapping[Outcome, int]) -> RunState:
    """The state in which a run ends that came to its end.

    Args:
        balanced: See `is_balanced`.
        guarded: The removal guard stopped it.
        outcomes: Documents by outcome.
    """
    if not balanced or guarded:
        return RunState.FAILED
    if outcomes.get(Outcome.QUARANTINED, 0) or outcomes.get(Outcome.PARTIAL, 0):
        return RunState.COMPLETED_WITH_ERRORS
    return RunState.COMPLETED


def trips_removal_guard(n_known: int, n_removed: int, *, n_found: int, max_share: float) -> bool:
    """Whether a scan would remove so much that an outage is likelier than a clean-up.

    One document that is gone is no mass delete, unless nothing is left.

    Args:
        n_known: Documents that the source had, as the catalog remembers.
        n_removed: Those that would cease to be searchable.
        n_found: Documents that were listed now.
        max_share: Of `n_known`, 0 to 1.
    """
    if not n_removed:
        return False
    return n_found == 0 or (n_removed > 1 and n_removed > max_share * n_known)
