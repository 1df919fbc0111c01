"""How fresh sources were: one row for each look at a source, fewer the longer ago that is."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.batching import batches
from index.catalog import tables
from index.catalog.upsert import upsert

ALL_FOR: Final = timedelta(days=2)
HOURLY_FOR: Final = timedelta(days=30)
"""From then on one a day is kept."""
_SPANS: Final = ("within_s", "outside_s", "unknown_s")


@dataclass(frozen=True, slots=True)
class Look:
    """A source as it was at one moment."""

    source: str
    at: datetime
    state: str
    """`fresh | warning | error | unknown`."""
    last_check: datetime | None
    last_success: datetime | None
    complete_as_of: datetime | None
    newest_change_seen: datetime | None
    newest_change_searchable: datetime | None
    oldest_change_waiting: datetime | None
    check_failed: bool
    n_stale: int
    """Documents that are served stale."""
    n_lags: int
    """Changes that the lags are of."""
    n_backlog: int
    """Changes as recent that are from before the source was followed."""
    lag_p50: float | None
    lag_p95: float | None
    lag_p99: float | None
    lag_max: float | None
    n_in_time: int
    """Of these changes, those that were searchable within the objective."""
    generation: str | None
    """That the chunks are of."""
    n_searchable: int
    n_chunks: int
    within_s: float
    """Of the time since the look before, that within the objective."""
    outside_s: float
    unknown_s: float


def save_look(connection: Connection, look: Look) -> None:
    """Add a row; one of the same source and moment is replaced."""
    upsert(connection, tables.freshness, [asdict(look)])


def last_look(connection: Connection, source: str) -> Look | None:
    row = tables.freshness.c
    query = sa.select(tables.freshness).where(row.source == source)
    found = connection.execute(query.order_by(row.at.desc()).limit(1)).mappings().one_or_none()
    return _look(found) if found else None


def looks(connection: Connection, source: str, since: datetime) -> list[Look]:
    """Those after a moment, oldest first."""
    row = tables.freshness.c
    query = sa.select(tables.freshness).where(row.source == source, row.at > since)
    return [_look(one) for one in connection.execute(query.order_by(row.at)).mappings()]


def spans_since(connection: Connection, source: str, since: datetime) -> tuple[float, float, float]:
    """Seconds within the objective, past it, and unknown, from a moment until the last look."""
    row = tables.freshness.c
    those = (row.source == source) & (row.at > since)
    sums = sa.select(*(sa.func.coalesce(sa.func.sum(row[name]), 0.0) for name in _SPANS))
    within, outside, unknown = connection.execute(sums.where(those)).one()
    query = sa.select(row.at, *(row[name] for name in _SPANS)).where(those)
    first = connection.execute(query.order_by(row.at).limit(1)).one_or_none()
    if first is None:
        return 0.0, 0.0, 0.0
    at, *spans = first
    # The first row tells of the time since the one before it, which may have begun earlier.
    length = sum(spans)
    early = max(0.0, length - (at - since).total_seconds()) / length if length else 0.0
    return within - early * spans[0], outside - early * spans[1], unknown - early * spans[2]


def thin(connection: Connection, now: datetime) -> int:
    """Delete all but the last look of each hour that is over for long, later of each day.

    How the time was spent is kept: what a deleted row says of it is added to the one that stays.

    Returns:
        How many were deleted.
    """
    row = tables.freshness.c
    query = sa.select(row.source, row.at, *(row[name] for name in _SPANS))
    old = connection.execute(query.where(row.at < now - ALL_FOR).order_by(row.source, row.at))
    n_deleted = 0
    for (source, _, _), group in groupby(old.mappings().all(), lambda one: _period(one, now)):
        *dropped, kept = group
        if dropped:
            _merge(connection, source, [*dropped, kept])
            n_deleted += len(dropped)
    return n_deleted


def _period(row: RowMapping, now: datetime) -> tuple[str, bool, int]:
    """Rows with the same are thinned to one: source, whether by day, and which hour or day."""
    by_day = row["at"] < now - HOURLY_FOR
    return row["source"], by_day, int(row["at"].timestamp()) // (86_400 if by_day else 3_600)


def _merge(connection: Connection, source: str, rows: Sequence[RowMapping]) -> None:
    row = tables.freshness.c
    spent = {name: sum(one[name] for one in rows) for name in _SPANS}
    last = (row.source == source) & (row.at == rows[-1]["at"])
    connection.execute(sa.update(tables.freshness).where(last).values(**spent))
    for some in batches([one["at"] for one in rows[:-1]]):
        these = (row.source == source) & row.at.in_(some)
        connection.execute(sa.delete(tables.freshness).where(these))


def _look(row: RowMapping) -> Look:
    return Look(**row)


@dataclass(frozen=True, slots=True)
class CanaryFound:
    """What came of writing a source's canary once."""

    source: str
    written_at: datetime
    lag_seconds: float | None
    """Until a search found it; None if none did."""
    error: str | None
    """Why it was not found, in one line."""


def save_canary(connection: Connection, found: CanaryFound) -> None:
    upsert(connection, tables.canary, [asdict(found)])


def last_canary(connection: Connection, source: str) -> CanaryFound | None:
    """The newest attempt over a source."""
    row = tables.canary.c
    query = sa.select(tables.canary).where(row.source == source).order_by(row.written_at.desc())
    found = connection.execute(query.limit(1)).mappings().one_or_none()
    return CanaryFound(**found) if found else None


def forget_canaries(connection: Connection, before: datetime) -> int:
    """Delete what is known of canaries that were written before a moment."""
    old = sa.delete(tables.canary).where(tables.canary.c.written_at < before)
    return connection.execute(old).rowcount


Total = tuple[str, str, float, float]
"""Name, label, bound and value: an outcome or a stage for a label, say; 0 for a plain total."""


def add_totals(connection: Connection, source: str, added: Iterable[Total]) -> None:
    """Add to what all runs of a source add up to."""
    row = tables.total.c
    for name, label, bound, value in added:
        this = (
            (row.source == source)
            & (row.name == name)
            & (row.label == label)
            & (row.bound == bound)
        )
        update = sa.update(tables.total).where(this).values(value=row.value + value)
        if not connection.execute(update).rowcount:
            values: dict[str, Any] = {"source": source, "name": name, "label": label}
            connection.execute(sa.insert(tables.total).values(**values, bound=bound, value=value))


def totals(connection: Connection) -> dict[str, list[Total]]:
    """By source, what all its runs add up to."""
    query = sa.select(tables.total).order_by(*tables.total.primary_key.columns)
    found: dict[str, list[Total]] = {}
    for source, *one in connection.execute(query):
        name, label, bound, value = one
        found.setdefault(source, []).append((name, label, bound, value))
    return found
