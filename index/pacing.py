"""How much of a plan one run does, and what it leaves to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from index.plan import Known, Listed, Plan

_UNDATED: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Left:
    """Documents that a run leaves to the next, for it has read as many as it may."""

    n_documents: int
    oldest_change: datetime | None
    """None where the source does not say when one of them was changed."""


NOTHING_LEFT: Final = Left(0, None)


def paced(plan: Plan, known: Mapping[str, Known], n_documents: int | None) -> Plan:
    """The plan with no more than `n_documents` to read, the others left.

    Those come first that wait for the longest, so none waits for ever, however much changes. Those
    come last that a run has read as they are listed now, be it that they could not be read or that
    a change might not show yet: as many as a run may read would keep all others out.
    """
    if n_documents is None or len(plan.read) <= n_documents:
        return plan

    def turn(listed: Listed) -> tuple[bool, datetime, str]:
        before = known.get(listed.uri)
        is_tried = before is not None and before.stat_token == listed.stat_token
        return is_tried, listed.modified_at or _UNDATED, listed.uri

    chosen = {listed.uri for listed in sorted(plan.read, key=turn)[:n_documents]}
    return replace(
        plan,
        read=tuple(one for one in plan.read if one.uri in chosen),
        left=tuple(one for one in plan.read if one.uri not in chosen),
    )


def what_is_left(plan: Plan) -> Left:
    times = [one.modified_at for one in plan.left]
    known = [time for time in times if time is not None]
    return Left(len(times), min(known) if known and len(known) == len(times) else None)
