"""Sources and the runs over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.batching import batches
from index.catalog import tables
from index.catalog.upsert import upsert
from index.pacing import NOTHING_LEFT, Left


class RunState(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class RunKind(StrEnum):
    INGEST = "ingest"
    """Over a whole source."""
    REPROCESS = "reprocess"
    """Over chosen documents of it that were in quarantine."""


@dataclass(frozen=True, slots=True)
class DocumentOutcome:
    """What a run did with one document; not stored for unchanged ones."""

    document_id: str
    uri: str
    outcome: str
    code: str | None = None
    detail: str | None = None
    lag_seconds: float | None = None
    """From its change until it was searchable; None if it is, and nothing of it changed."""
    changed_at: datetime | None = None


def find_source(connection: Connection, name: str) -> RowMapping | None:
    query = sa.select(tables.source).where(tables.source.c.name == name)
    return connection.execute(query).mappings().one_or_none()


def all_sources(connection: Connection) -> Sequence[RowMapping]:
    query = sa.select(tables.source).order_by(tables.source.c.name)
    return connection.execute(query).mappings().all()


def start_run(
    connection: Connection,
    *,
    run_id: str,
    source: str,
    root: str,
    flow_run_id: str | None,
    now: datetime,
    kind: RunKind = RunKind.INGEST,
) -> list[str]:
    """Record that a run begins; recording it again, with the same `now`, changes nothing.

    Returns:
        Ids of earlier runs of the source that never ended; they are `interrupted` now.
    """
    if find_source(connection, source) is None:
        row = {"name": source, "root": root, "first_seen_at": now}
        connection.execute(sa.insert(tables.source).values(row))
    else:
        update = sa.update(tables.source).where(tables.source.c.name == source)
        connection.execute(update.values(root=root))
    run = tables.run.c
    others = (run.source == source) & (run.id != run_id)
    connection.execute(
        sa.update(tables.run)
        .where(others, run.state == RunState.RUNNING)
        .values(state=RunState.INTERRUPTED, ended_at=now)
    )
    row = {
        "id": run_id,
        "source": source,
        "kind": kind,
        "flow_run_id": flow_run_id,
        "state": RunState.RUNNING,
        "started_at": now,
    }
    upsert(connection, tables.run, [row])
    ended = others & (run.state == RunState.INTERRUPTED) & (run.ended_at == now)
    return list(connection.scalars(sa.select(run.id).where(ended)))


def end_run(
    connection: Connection,
    run_id: str,
    state: RunState,
    now: datetime,
    *,
    report: dict[str, Any] | None = None,
    error: str | None = None,
) -> None:
    connection.execute(
        sa.update(tables.run)
        .where(tables.run.c.id == run_id)
        .values(state=state, ended_at=now, report=report, error=error)
    )


def mark_checked(connection: Connection, source: str, now: datetime) -> None:
    """Note that the source was listed: whatever had changed by `now` was seen."""
    update = sa.update(tables.source).where(tables.source.c.name == source)
    connection.execute(update.values(last_check_at=now))


def mark_succeeded(
    connection: Connection, source: str, now: datetime, left: Left = NOTHING_LEFT
) -> None:
    """Note that a run over the source ended without failing, and what it left to the next."""
    row = tables.source.c
    before = find_source(connection, source)
    connection.execute(
        sa.update(tables.source)
        .where(row.name == source)
        .values(
            last_success_at=now,
            complete_as_of=row.last_check_at,
            n_left=left.n_documents,
            left_since=before and _left_since(before, left),
        )
    )


def _left_since(before: RowMapping, left: Left) -> datetime | None:
    """Since when the oldest of the documents waits that are left.

    Not since before the source was last complete, for what had changed until then is searchable;
    nor, if it never was, since before it was followed.
    """
    if not left.n_documents:
        return None
    earliest: datetime
    earliest = before["left_since"] or before["complete_as_of"] or before["first_seen_at"]
    return max(earliest, left.oldest_change or earliest)


def record_outcomes(
    connection: Connection, run_id: str, outcomes: Sequence[DocumentOutcome]
) -> None:
    """Note what was done with documents; a document that the run noted before is noted anew."""
    if not outcomes:
        return
    noted = tables.outcome.c
    ids = [outcome.document_id for outcome in outcomes]
    for some in batches(ids):
        connection.execute(
            sa.delete(tables.outcome).where(noted.run_id == run_id, noted.document_id.in_(some))
        )
    connection.execute(
        sa.insert(tables.outcome),
        [
            {
                "run_id": run_id,
                "document_id": outcome.document_id,
                "uri": outcome.uri,
                "outcome": outcome.outcome,
                "code": outcome.code,
                "detail": outcome.detail,
                "lag_seconds": outcome.lag_seconds,
                "changed_at": outcome.changed_at,
            }
            for outcome in outcomes
        ],
    )


def count_outcomes(connection: Connection, run_id: str) -> dict[tuple[str, str | None], int]:
    """How many documents of a run came to each outcome for each reason."""
    noted = tables.outcome.c
    query = (
        sa.select(noted.outcome, noted.code, sa.func.count())
        .where(noted.run_id == run_id)
        .group_by(noted.outcome, noted.code)
    )
    return {(outcome, code): n for outcome, code, n in connection.execute(query)}


def lags(connection: Connection, run_id: str) -> list[float]:
    """Seconds from change to searchable, of each document that a run made searchable."""
    noted = tables.outcome.c
    query = sa.select(noted.lag_seconds).where(
        noted.run_id == run_id, noted.lag_seconds.is_not(None)
    )
    return list(connection.scalars(query))


@dataclass(frozen=True, slots=True)
class RecentLags:
    """Of the changes of a source that runs since some moment have made searchable."""

    seconds: Sequence[float]
    n_backlog: int
    """Changes from before the source was followed, which are not among these."""


def recent_lags(connection: Connection, source: str, since: datetime) -> RecentLags:
    noted, ran, followed = tables.outcome.c, tables.run.c, tables.source.c
    query = (
        sa.select(noted.lag_seconds, noted.changed_at >= followed.first_seen_at)
        .join(tables.run, ran.id == noted.run_id)
        .join(tables.source, followed.name == ran.source)
        .where(ran.source == source, ran.started_at >= since, noted.lag_seconds.is_not(None))
    )
    seconds, n_backlog = [], 0
    for lag, is_ours in connection.execute(query):
        if is_ours:
            seconds.append(lag)
        else:
            n_backlog += 1
    return RecentLags(seconds, n_backlog)


def last_check_failed(connection: Connection, source: str) -> bool:
    """Whether the last run over a source that ended did so before it had listed it."""
    ran = tables.run.c
    query = sa.select(ran.state, ran.started_at, tables.source.c.last_check_at)
    ended = (ran.source == source) & (ran.kind == RunKind.INGEST) & (ran.state != RunState.RUNNING)
    last = connection.execute(
        query.join(tables.source, tables.source.c.name == ran.source)
        .where(ended)
        .order_by(ran.started_at.desc())
        .limit(1)
    ).one_or_none()
    if last is None or last.state not in (RunState.FAILED, RunState.INTERRUPTED):
        return False
    return last.last_check_at is None or last.last_check_at < last.started_at


def followed_lags(connection: Connection, run_id: str) -> list[float]:
    """As `lags`, but for changes from before the source was followed."""
    noted, ran, followed = tables.outcome.c, tables.run.c, tables.source.c
    query = (
        sa.select(noted.lag_seconds)
        .join(tables.run, ran.id == noted.run_id)
        .join(tables.source, followed.name == ran.source)
        .where(ran.id == run_id, noted.changed_at >= followed.first_seen_at)
    )
    return list(connection.scalars(query))


def lag_of(connection: Connection, run_id: str, document_id: str) -> float | None:
    """Seconds from a document's change until the run had made it searchable; None if unknown."""
    noted = tables.outcome.c
    query = sa.select(noted.lag_seconds)
    return connection.scalar(query.where(noted.run_id == run_id, noted.document_id == document_id))


def find_run(connection: Connection, run_id: str) -> RowMapping | None:
    return (
        connection.execute(sa.select(tables.run).where(tables.run.c.id == run_id))
        .mappings()
        .one_or_none()
    )


def newest_run(connection: Connection) -> RowMapping | None:
    """The run that was started last, over whichever source."""
    query = sa.select(tables.run).order_by(tables.run.c.started_at.desc()).limit(1)
    return connection.execute(query).mappings().one_or_none()


def last_run(connection: Connection, source: str) -> RowMapping | None:
    query = (
        sa.select(tables.run)
        .where(tables.run.c.source == source)
        .order_by(tables.run.c.started_at.desc())
        .limit(1)
    )
    return connection.execute(query).mappings().one_or_none()
