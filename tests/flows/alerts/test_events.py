"""Prefect events: what is documented is what is sent."""

import re
from typing import Any

import pytest
import yaml

from flows.alerts.events import PAYLOADS, EventName
from tests.conftest import ROOT

pytestmark = pytest.mark.proof

BAD = b"%PDF-1.4 nothing"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """All events that would go to the Prefect API."""
    events: list[dict[str, Any]] = []
    monkeypatch.setattr("prefect.events.emit_event", lambda **event: events.append(event))
    return events


def names(sent: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in sent]


def test_the_docs_list_the_events_with_their_payloads():
    text = (ROOT / "docs/alerts.md").read_text("utf-8")
    rows = re.findall(r"^\| `(headwater\.[a-z.]+)` \| [^|]+ \| ([^|]+) \|$", text, re.M)
    documented = {name: tuple(re.findall(r"`(\w+)`", fields)) for name, fields in rows}
    assert documented == {name.value: fields for name, fields in PAYLOADS.items()}
    assert set(PAYLOADS) == set(EventName)


def test_the_automation_in_the_docs_is_one_that_prefect_takes():
    from prefect.events.schemas.automations import AutomationCore

    text = (ROOT / "docs/alerts.md").read_text("utf-8")
    (written,) = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
    automation = AutomationCore.model_validate(yaml.safe_load(written))
    assert automation.trigger.expect <= {name.value for name in EventName}


def test_a_run_sends_what_happened_once(ingest, folder, config, sent):
    for number in range(12):
        (folder / f"{number:02}.pdf").write_bytes(BAD)
    ingest("handbook", config=str(config))
    assert names(sent) == [
        "headwater.source.refreshed",
        "headwater.document.quarantined",
        "headwater.alert.started",
    ]
    refreshed, quarantined, started = (event["payload"] for event in sent)
    assert refreshed["documents"]["found"] == 12
    assert quarantined["count"] == quarantined["open"] == 12
    assert quarantined["reasons"] == {"corrupt": 12}
    assert len(quarantined["uris"]) == 10
    assert started["kind"] == "quarantine"
    sent.clear()
    ingest("handbook", config=str(config))
    assert names(sent) == ["headwater.source.refreshed"]


def test_a_failed_run_and_its_alert_are_events_on_the_source(
    ingest, folder, config, sent, monkeypatch
):
    (folder / "leave.md").write_text("# Leave\n")
    with monkeypatch.context() as broken:
        broken.setattr("flows.runs.batch_work.prepare", None)
        ingest("handbook", config=str(config))
    ingest("handbook", config=str(config))
    assert names(sent) == [
        "headwater.run.failed",
        "headwater.alert.started",
        "headwater.source.refreshed",
        "headwater.alert.resolved",
    ]
    for event in sent:
        assert tuple(event["payload"]) == PAYLOADS[EventName(event["event"])]
    resources = [event["resource"]["prefect.resource.id"] for event in sent]
    assert resources[:2] == [
        "headwater.source.handbook",
        "headwater.alert.run.handbook",
    ]
    assert sent[0]["payload"]["summary"] == "the run failed"
