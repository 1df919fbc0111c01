"""What happens, as Prefect events, so that users' own automations can act on it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from checks.alerts import Step
from flows.orchestration.runtime import is_configured
from flows.runs.report import RunReport
from index.catalog.quarantine import Digest
from index.records import iso


class EventName(StrEnum):
    """The names of all events; docs/alerts.md says what each means."""

    SOURCE_REFRESHED = "headwater.source.refreshed"
    DOCUMENT_QUARANTINED = "headwater.document.quarantined"
    RUN_FAILED = "headwater.run.failed"
    ALERT_STARTED = "headwater.alert.started"
    ALERT_NEWS = "headwater.alert.news"
    ALERT_REPEATED = "headwater.alert.repeated"
    ALERT_ESCALATED = "headwater.alert.escalated"
    ALERT_RESOLVED = "headwater.alert.resolved"


_OF_ALERTS: Final = ("kind", "source", "severity", "summary", "since")
PAYLOADS: Final[Mapping[EventName, tuple[str, ...]]] = {
    EventName.SOURCE_REFRESHED: ("source", "run_id", "state", "documents", "lag_seconds"),
    EventName.DOCUMENT_QUARANTINED: ("source", "run_id", "count", "reasons", "uris", "open"),
    EventName.RUN_FAILED: ("source", "run_id", "state", "summary"),
    EventName.ALERT_STARTED: _OF_ALERTS,
    EventName.ALERT_NEWS: _OF_ALERTS,
    EventName.ALERT_REPEATED: _OF_ALERTS,
    EventName.ALERT_ESCALATED: _OF_ALERTS,
    EventName.ALERT_RESOLVED: _OF_ALERTS,
}
"""The fields of each event's payload."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, ready to be published."""

    name: EventName
    resource: str
    """What it happened to: the id of a Prefect resource."""
    payload: Mapping[str, Any]


def _happening(name: EventName, resource: str, *values: object) -> Happening:
    return Happening(name, resource, dict(zip(PAYLOADS[name], values, strict=True)))


def refreshed(report: RunReport) -> Happening:
    """A run over a source came to its end."""
    told = report.as_json()
    return _happening(
        EventName.SOURCE_REFRESHED,
        source_resource(report.source),
        report.source,
        report.run_id,
        report.state.value,
        told["documents"],
        told["lag_seconds"],
    )


def failed(source: str, run_id: str, state: str, summary: str) -> Happening:
    """A run over a source failed, or was interrupted."""
    resource = source_resource(source)
    return _happening(EventName.RUN_FAILED, resource, source, run_id, str(state), summary)


def quarantined(source: str, run_id: str, new: Digest, n_open: int) -> Happening:
    """Documents came into quarantine: one event for all of a run."""
    return _happening(
        EventName.DOCUMENT_QUARANTINED,
        source_resource(source),
        source,
        run_id,
        new.n_entries,
        new.counts,
        [uri for uri, _ in new.first],
        n_open,
    )


def of_alert(step: Step) -> Happening:
    """An alert has something to tell."""
    kind, source = step.alert.key
    return _happening(
        EventName(f"headwater.alert.{step.phase}"),
        f"headwater.alert.{kind}.{source}" if source else f"headwater.alert.{kind}",
        kind,
        source,
        step.severity.value,
        step.headline,
        iso(step.alert.started_at),
    )


def source_resource(name: str) -> str:
    return f"headwater.source.{name}"


def publish(happenings: Iterable[Happening]) -> None:
    """Send events to the Prefect API that is in use; without one there is nobody to tell."""
    if not is_configured():
        return
    from prefect.events import emit_event

    for one in happenings:
        name = one.payload["source"] or "Headwater"
        resource = {"prefect.resource.id": one.resource, "prefect.resource.name": name}
        emit_event(event=one.name.value, resource=resource, payload=dict(one.payload))
