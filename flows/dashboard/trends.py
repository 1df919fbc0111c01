"""How a source went over its last runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.engine import Connection, RowMapping

from flows.runs.budget import clocks_of
from index.catalog import history
from index.catalog.browsing import Paging, page_of_runs
from index.plan import Outcome

SHOWN: Final = (Outcome.INDEXED, Outcome.PARTIAL, Outcome.QUARANTINED, Outcome.REMOVED)
"""What a chart of outcomes shows; what a run left as it was would dwarf it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A length of time at a moment: the lag of a run, say."""

    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class OutcomesOfRun:
    """What a run did, but for what it left as it was."""

    run_id: str
    at: datetime
    state: str
    counts: Mapping[str, int]


def lag_points(connection: Connection, source: str, n_runs: int) -> list[Point]:
    """What 95 of 100 changes took at most, of the last runs of a source that made something
    searchable; the oldest first.
    """
    points = [
        Point(row["started_at"], lag["p95"])
        for row in page_of_runs(connection, source, Paging(n_runs))
        if (lag := _reported(row, "lag_seconds"))
    ]
    return points[::-1]


def staleness_points(connection: Connection, source: str, since: datetime) -> list[Point]:
    """How stale a source had become by each look at it, before what was learned at that look.

    Between two looks nothing is learned, so it only grows staler.
    """
    points: list[Point] = []
    known_until: datetime | None = None
    for look in history.looks(connection, source, since):
        if known_until is not None:
            points.append(Point(look.at, max(0.0, (look.at - known_until).total_seconds())))
        known_until = clocks_of(look).true_until
    return points


def outcomes_of_runs(rows: Sequence[RowMapping]) -> list[OutcomesOfRun]:
    """Of runs, the newest first, what they did; the oldest first."""
    return [
        OutcomesOfRun(
            row["id"],
            row["started_at"],
            row["state"],
            {outcome.value: _reported(row, "documents").get(outcome.value, 0) for outcome in SHOWN},
        )
        for row in reversed(rows)
    ]


def _reported(row: RowMapping, part: str) -> Mapping[str, Any]:
    report: Mapping[str, Any] = row["report"] or {}
    return report.get(part) or {}
