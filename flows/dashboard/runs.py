"""Runs: the list of them, and all that is known of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.engine import Connection, RowMapping

from flows.dashboard.links import prefect_url
from flows.dashboard.listing import Listing, listed
from flows.dashboard.stores import Stores
from flows.metadata.verdicts import verdicts_of_run
from index.catalog import browsing
from index.catalog import runs as run_rows
from index.catalog.browsing import Paging
from index.plan import Outcome

_FOUND: Final = (
    Outcome.INDEXED,
    Outcome.PARTIAL,
    Outcome.UNCHANGED,
    Outcome.QUARANTINED,
    Outcome.SKIPPED,
    Outcome.LEFT,
)
"""What those that a run found came to; together they are all of them."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in a list."""

    id: str
    source: str
    kind: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    seconds: float
    """Until it ended, or until now."""
    documents: Mapping[str, int]
    """By outcome, and `found`; empty while it goes on."""
    chunks_written: int
    lag_p95_s: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run's time."""

    name: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Balance:
    """What was found, and what it came to."""

    n_found: int
    parts: Mapping[str, int]
    removed: int
    balanced: bool | None
    """None while the run goes on."""


@dataclass(frozen=True, slots=True)
class RunDetail:
    """All that is known of a run."""

    run: RunLine
    balance: Balance
    stages: Sequence[Stage]
    reasons: Mapping[str, int]
    """Of documents that it quarantined."""
    report: Mapping[str, Any]
    """As the run printed it; empty while it goes on."""
    checks: Mapping[str, Any]
    flow_run_id: str | None
    prefect_url: str | None


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """What a run did with a document."""

    document_id: str
    uri: str
    outcome: str
    code: str | None
    detail: str | None
    lag_seconds: float | None


def list_runs(stores: Stores, source: str | None, paging: Paging) -> Listing[RunLine]:
    """Runs, the newest first."""
    with stores.catalog().reading() as connection:
        rows = browsing.page_of_runs(connection, source, paging)
        return listed(
            [run_line(row) for row in rows], browsing.count_runs(connection, source), paging
        )


def run_line(row: RowMapping) -> RunLine:
    """A run with what its report says in short."""
    report: Mapping[str, Any] = row["report"] or {}
    ended = row["ended_at"] or datetime.now(UTC)
    return RunLine(
        id=row["id"],
        source=row["source"],
        kind=row["kind"],
        state=row["state"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        seconds=(ended - row["started_at"]).total_seconds(),
        documents=report.get("documents", {}),
        chunks_written=report.get("chunks", {}).get("written", 0),
        lag_p95_s=(report.get("lag_seconds") or {}).get("p95"),
        error=row["error"],
    )


def find_run(stores: Stores, run_id: str) -> RunDetail | None:
    """All that is known of a run; None if there is none with this id."""
    with stores.catalog().reading() as connection:
        row = run_rows.find_run(connection, run_id)
        if row is None:
            return None
        noted = run_rows.count_outcomes(connection, run_id)
        report: Mapping[str, Any] = row["report"] or {}
        return RunDetail(
            run=run_line(row),
            balance=_balance(report, noted),
            stages=_stages(report.get("seconds", {})),
            reasons=_reasons(noted),
            report=report,
            checks=report.get("checks") or verdicts_of_run(connection, run_id),
            flow_run_id=row["flow_run_id"],
            prefect_url=prefect_url(row["flow_run_id"]),
        )


def list_outcomes(
    stores: Stores, run_id: str, outcome: Outcome | None, paging: Paging
) -> Listing[OutcomeLine]:
    """What a run did with documents, those that it left as they were aside; by uri."""
    with stores.catalog().reading() as connection:
        rows = browsing.page_of_outcomes(connection, run_id, outcome, paging)
        return listed([_outcome(row) for row in rows], _noted(connection, run_id, outcome), paging)


def _noted(connection: Connection, run_id: str, outcome: Outcome | None) -> int:
    counts = run_rows.count_outcomes(connection, run_id)
    return sum(n for (name, _), n in counts.items() if outcome in (None, name))


def _outcome(row: RowMapping) -> OutcomeLine:
    names = ("document_id", "uri", "outcome", "code", "detail", "lag_seconds")
    return OutcomeLine(**{name: row[name] for name in names})


def _balance(report: Mapping[str, Any], noted: Mapping[tuple[str, str | None], int]) -> Balance:
    """From the report, or of what is noted so far if there is none."""
    if documents := report.get("documents"):
        parts = {outcome.value: documents.get(outcome.value, 0) for outcome in _FOUND}
        removed = documents.get("removed", 0)
        return Balance(documents["found"], parts, removed, report.get("balanced"))
    so_far = {
        outcome.value: sum(n for (name, _), n in noted.items() if name == outcome)
        for outcome in Outcome
    }
    removed = so_far.pop(Outcome.REMOVED)
    return Balance(sum(so_far.values()), so_far, removed, None)


def _stages(seconds: Mapping[str, float]) -> list[Stage]:
    total = seconds.get("total") or 0.0
    return [
        Stage(name, taken, min(1.0, max(0.0, taken / total)) if total else 0.0)
        for name, taken in seconds.items()
        if name != "total"
    ]


def _reasons(noted: Mapping[tuple[str, str | None], int]) -> dict[str, int]:
    found = {
        code: n for (outcome, code), n in noted.items() if outcome == Outcome.QUARANTINED and code
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
