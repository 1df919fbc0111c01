"""Prefect automations that notice what does not happen: no run that ends, no sign of life.

Both need `after`: with `for_each` and without `after`, Prefect never fires them.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture

from flows.alerts.events import EventName, source_resource
from flows.orchestration.deploying import TAG, Deployed
from flows.settings import Settings
from flows.source_settings import SourceSettings

_PREFIX: Final = "headwater: "
_GONE: Final = f"{_PREFIX}the process of a run is gone"
_SILENCE: Final = timedelta(minutes=9)
"""Three times as long as flow runs are quiet between two signs of life."""
_EACH: Final = {"prefect.resource.id"}


async def settle_automations(client: PrefectClient, settings: Settings) -> list[Deployed]:
    """Create or change the automations that the settings ask for.

    One that is switched off in Prefect stays so.

    Args:
        client: Of an API to which everything was deployed.
        settings: With the sources.
    """
    check = await client.read_deployment_by_name("freshness/freshness")
    asked = [_stale(source, check.id) for source in settings.sources]
    return [await _settle(client, one) for one in (*asked, _gone())]


def _stale(source: SourceSettings, check: UUID) -> AutomationCore:
    """No run over the source came to its end for too long: look, and tell people."""
    refreshed = EventName.SOURCE_REFRESHED.value
    return AutomationCore(
        name=f"{_PREFIX}{source.name} is stale",
        description="No run came to its end for as long as the objective's error_after.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match={"prefect.resource.id": source_resource(source.name)},
            for_each=_EACH,
            after={refreshed},
            expect={refreshed},
            threshold=1,
            within=source.freshness.error_after,
        ),
        actions=[RunDeployment(source="selected", deployment_id=check)],
    )


def _gone() -> AutomationCore:
    """A flow run sent signs of life, and then neither these nor its end."""
    return AutomationCore(
        name=_GONE,
        description="Marks flow runs as crashed that stopped to send heartbeats.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={
                "prefect.resource.role": "tag",
                "prefect.resource.id": f"prefect.tag.{TAG}",
            },
            for_each=_EACH,
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            threshold=1,
            within=_SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No sign of life from it.")],
    )


async def _settle(client: PrefectClient, asked: AutomationCore) -> Deployed:
    there = await client.read_automations_by_name(asked.name)
    if not there:
        await client.create_automation(asked)
        return Deployed(asked.name, "created")
    old, *surplus = there
    for one in surplus:
        await client.delete_automation(one.id)
    if _compared(old) == _compared(asked):
        return Deployed(asked.name, "unchanged")
    asked.enabled = old.enabled
    await client.update_automation(old.id, asked)
    return Deployed(asked.name, "changed")


def _compared(automation: Automation | AutomationCore) -> dict[str, Any]:
    core: dict[str, Any] = automation.model_dump(
        mode="json", include={"name", "description", "trigger", "actions"}
    )
    core["trigger"].pop("id", None)
    return core
