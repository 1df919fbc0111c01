"""Alerts that are on, and the outbox of their messages."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.catalog import tables
from index.catalog.upsert import upsert


class Severity(StrEnum):
    """Somebody should look, or somebody must; in this order."""

    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Phase(StrEnum):
    """What a message tells of its alert."""

    STARTED = "started"
    NEWS = "news"
    """It is on, and there is more of it."""
    REPEATED = "repeated"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up."""


class Key(NamedTuple):
    """What makes two alerts the same."""

    kind: str
    source: str
    """Empty where it concerns all of them."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as the catalog remembers it."""

    key: Key
    severity: Severity
    """The highest since it started."""
    summary: str
    """As it was last told."""
    started_at: datetime
    told_at: datetime
    """When its last message was written."""
    told_until: datetime | None = None
    """Of what it lists: when the newest that was told had happened."""
    resolved_at: datetime | None = None
    """None while it is on."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of an alert for one target."""

    key: Key
    target: str
    phase: Phase
    severity: Severity
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A letter that was taken from the outbox to be sent."""

    id: int
    letter: Letter
    n_attempts: int
    """Before this one."""
    created_at: datetime


def alerts_on(connection: Connection, *, to_change: bool = False) -> dict[Key, Alert]:
    """Those that started and did not end; `to_change` keeps others from changing them meanwhile."""
    query = sa.select(tables.alert).where(tables.alert.c.resolved_at.is_(None))
    if to_change:
        query = query.with_for_update()
    return _by_key(connection.execute(query).mappings())


def all_alerts(connection: Connection) -> dict[Key, Alert]:
    """Those that ended too, by source and kind."""
    query = sa.select(tables.alert).order_by(tables.alert.c.source, tables.alert.c.kind)
    return _by_key(connection.execute(query).mappings())


def _by_key(rows: Iterable[RowMapping]) -> dict[Key, Alert]:
    alerts = (
        Alert(
            Key(row["kind"], row["source"]),
            Severity(row["severity"]),
            row["summary"],
            row["started_at"],
            row["told_at"],
            row["told_until"],
            row["resolved_at"],
        )
        for row in rows
    )
    return {alert.key: alert for alert in alerts}


def save_alert(connection: Connection, alert: Alert) -> None:
    """In place of what was known of it."""
    row = {
        "kind": alert.key.kind,
        "source": alert.key.source,
        "severity": alert.severity,
        "summary": alert.summary,
        "started_at": alert.started_at,
        "told_at": alert.told_at,
        "told_until": alert.told_until,
        "resolved_at": alert.resolved_at,
    }
    upsert(connection, tables.alert, [row])


def post(connection: Connection, letters: Sequence[Letter], now: datetime) -> None:
    """Put messages into the outbox."""
    if letters:
        rows = [_posted(letter, now) for letter in letters]
        connection.execute(sa.insert(tables.delivery), rows)


def _posted(letter: Letter, now: datetime) -> dict[str, object]:
    return {
        "kind": letter.key.kind,
        "source": letter.key.source,
        "target": letter.target,
        "phase": letter.phase,
        "severity": letter.severity,
        "title": letter.title,
        "body": letter.body,
        "created_at": now,
        "state": DeliveryState.PENDING,
        "n_attempts": 0,
        "due_at": now,
    }


@dataclass(frozen=True, slots=True)
class Claim:
    """What a sender took from the outbox."""

    deliveries: tuple[Delivery, ...]
    next_due: datetime | None
    """When more is due; None if nothing waits."""


def claim(
    connection: Connection,
    targets: Collection[str],
    now: datetime,
    *,
    claim_for: timedelta,
    at_once: bool = False,
) -> Claim:
    """Take what is to be sent now, so that no other sender does.

    A message waits for those of the same alert to the same target that come before it.

    Args:
        connection: Of a writing transaction.
        targets: Whose messages.
        now: The time.
        claim_for: After this time a sender that was killed has lost its claim.
        at_once: Take also what is due later.
    """
    waiting: set[tuple[str, Key]] = set()
    due_later, taken = [], []
    for row in _unclaimed(connection, targets, now):
        line = (row["target"], Key(row["kind"], row["source"]))
        if line in waiting:
            continue
        if at_once or row["due_at"] <= now:
            taken.append(_delivery(row))
        else:
            waiting.add(line)
            due_later.append(row["due_at"])
    _set(connection, [one.id for one in taken], claimed_until=now + claim_for)
    return Claim(tuple(taken), min(due_later, default=None))


def _unclaimed(
    connection: Connection, targets: Collection[str], now: datetime
) -> Iterator[RowMapping]:
    """What is pending, in order, but for what follows upon something that a sender has."""
    sent = tables.delivery.c
    pending = (sent.state == DeliveryState.PENDING) & sent.target.in_(targets)
    query = sa.select(tables.delivery).where(pending).order_by(sent.id).with_for_update()
    claimed = set()
    for row in connection.execute(query).mappings().all():
        line = (row["target"], row["kind"], row["source"])
        if row["claimed_until"] is not None and row["claimed_until"] > now:
            claimed.add(line)
        elif line not in claimed:
            yield row


def _delivery(row: RowMapping) -> Delivery:
    letter = Letter(
        Key(row["kind"], row["source"]),
        row["target"],
        Phase(row["phase"]),
        Severity(row["severity"]),
        row["title"],
        row["body"],
    )
    return Delivery(row["id"], letter, row["n_attempts"], row["created_at"])


def mark_delivered(connection: Connection, delivery_id: int, now: datetime) -> None:
    _attempted(connection, delivery_id, state=DeliveryState.DELIVERED, delivered_at=now, error=None)


def mark_undelivered(
    connection: Connection, delivery_id: int, error: str, due_at: datetime | None
) -> None:
    """Note that an attempt failed.

    Args:
        connection: Of a writing transaction.
        delivery_id: Which.
        error: Why, without any secret.
        due_at: When to try again; None to give up.
    """
    if due_at is None:
        _attempted(connection, delivery_id, state=DeliveryState.FAILED, error=error)
    else:
        _attempted(connection, delivery_id, due_at=due_at, error=error)


def release(connection: Connection, delivery_id: int, due_at: datetime) -> None:
    """Give back what was claimed and not tried; `due_at` is when to try it."""
    _set(connection, [delivery_id], claimed_until=None, due_at=due_at)


def _attempted(connection: Connection, delivery_id: int, **values: object) -> None:
    n_attempts = tables.delivery.c.n_attempts + 1
    _set(connection, [delivery_id], claimed_until=None, n_attempts=n_attempts, **values)


def _set(connection: Connection, delivery_ids: Sequence[int], **values: object) -> None:
    if delivery_ids:
        those = tables.delivery.c.id.in_(delivery_ids)
        connection.execute(sa.update(tables.delivery).where(those).values(**values))


def last_delivered(connection: Connection) -> dict[Key, datetime]:
    """When a message of each alert last arrived somewhere."""
    sent = tables.delivery.c
    query = sa.select(sent.kind, sent.source, sa.func.max(sent.delivered_at)).where(
        sent.delivered_at.is_not(None)
    )
    rows = connection.execute(query.group_by(sent.kind, sent.source))
    return {Key(kind, source): moment for kind, source, moment in rows}


def undelivered(connection: Connection) -> Mapping[Key, Sequence[RowMapping]]:
    """What is pending or was given up, by alert and in order."""
    sent = tables.delivery.c
    query = sa.select(tables.delivery).where(sent.state != DeliveryState.DELIVERED)
    found: dict[Key, list[RowMapping]] = {}
    for row in connection.execute(query.order_by(sent.id)).mappings():
        found.setdefault(Key(row["kind"], row["source"]), []).append(row)
    return found


def forget(connection: Connection, before: datetime) -> None:
    """Delete messages that were written before a time."""
    connection.execute(sa.delete(tables.delivery).where(tables.delivery.c.created_at < before))


def count_by_state(connection: Connection) -> dict[DeliveryState, int]:
    """How many messages are in each state."""
    sent = tables.delivery.c
    query = sa.select(sent.state, sa.func.count()).group_by(sent.state)
    counts = {state: n for state, n in connection.execute(query)}
    return {state: counts.get(state, 0) for state in DeliveryState}
