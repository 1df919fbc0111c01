"""What `headwater alerts` says: which alerts are on, and whether their messages arrive."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import RowMapping

from flows.alerts.outbox import send_now
from flows.settings import Settings
from index.catalog import alerts as alert_rows
from index.catalog.alerts import Alert, DeliveryState, Key, Letter, Phase, Severity
from index.catalog.database import Catalog
from index.records import iso


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """An alert that is on, or one with messages that did not arrive."""

    alert: Alert
    last_sent: datetime | None
    """When a message of it last arrived somewhere."""
    undelivered: Sequence[RowMapping]

    def count(self, state: DeliveryState) -> int:
        """How many of its messages are in a state."""
        return sum(row["state"] == state for row in self.undelivered)

    def as_json(self) -> dict[str, Any]:
        alert = self.alert
        return {
            "kind": alert.key.kind,
            "source": alert.key.source,
            "state": "resolved" if alert.resolved_at else "on",
            "severity": alert.severity.value,
            "summary": alert.summary,
            "since": iso(alert.started_at),
            "resolved": iso(alert.resolved_at),
            "last_told": iso(alert.told_at),
            "last_sent": iso(self.last_sent),
            "pending": self.count(DeliveryState.PENDING),
            "failed": self.count(DeliveryState.FAILED),
            "undelivered": [_delivery(row) for row in self.undelivered],
        }


def _delivery(row: RowMapping) -> dict[str, Any]:
    is_pending = row["state"] == DeliveryState.PENDING
    return {
        "target": row["target"],
        "phase": row["phase"],
        "state": row["state"],
        "written": iso(row["created_at"]),
        "attempts": row["n_attempts"],
        "next_attempt": iso(row["due_at"]) if is_pending else None,
        "error": row["error"],
    }


def alert_statuses(catalog: Catalog) -> list[AlertStatus]:
    """All that are on, or were not told to everyone, by source and kind."""
    with catalog.reading() as connection:
        alerts = alert_rows.all_alerts(connection)
        sent = alert_rows.last_delivered(connection)
        undelivered = alert_rows.undelivered(connection)
    return [
        AlertStatus(alert, sent.get(key), undelivered.get(key, ()))
        for key, alert in alerts.items()
        if alert.resolved_at is None or key in undelivered
    ]


def try_targets(settings: Settings) -> dict[str, str]:
    """Send a test message to every target: by name, why it did not arrive; empty if it did."""
    title = "[test] Headwater: this target is told of alerts"
    body = (
        "Sent by `headwater alerts test`. Nothing is the matter.\n\n"
        f"On {socket.gethostname()}, state directory {settings.state_dir}."
    )
    letters = [
        Letter(Key("test", ""), target.name, Phase.RESOLVED, Severity.WARNING, title, body)
        for target in settings.alerts.everyone
    ]
    attempts = send_now(settings.alerts.everyone, letters)
    problems = {attempt.delivery.letter.target: attempt.problem or "" for attempt in attempts}
    return {target.name: problems[target.name] for target in settings.alerts.everyone}
