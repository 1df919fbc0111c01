"""Deployments follow the settings, and what people did in Prefect stays."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import IntervalSchedule

from flows.errors import UserError
from flows.orchestration.automations import settle_automations
from flows.orchestration.deploying import deploy
from flows.orchestration.deployments import wanted_deployments
from flows.settings import load_settings
from tests.conftest import ROOT

pytestmark = pytest.mark.proof

NAMES = {"handbook", "wiki", "freshness", "reconcile", "clean", "reprocess"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path / "headwater.toml")


def write(file: Path, schedule: str = "*/15 * * * *", *, wiki: bool = True) -> Path:
    sources = f'[[sources]]\nname = "handbook"\nuri = "docs"\nschedule = "{schedule}"\n'
    if wiki:
        sources += '[[sources]]\nname = "wiki"\nuri = "docs"\n'
    file.write_text(sources)
    return file


def ask(what: Callable[[PrefectClient], Awaitable[Any]]) -> Any:
    async def asked() -> Any:
        async with get_client() as client:
            return await what(client)

    return asyncio.run(asked())


def deployed(config: Path, *, exclusive: bool = True) -> dict[str, str]:
    async def make(client: PrefectClient) -> dict[str, str]:
        settings = load_settings(config)
        done = await deploy(client, settings, config, None, exclusive=exclusive)
        done += await settle_automations(client, settings)
        return {one.name.rpartition("/")[2]: one.done for one in done}

    found: dict[str, str] = ask(make)
    return found


def test_a_deploy_that_changes_nothing_touches_nothing(prefect, config):
    first = deployed(config)
    assert set(first) > NAMES
    assert set(deployed(config).values()) == {"unchanged"}

    async def limits(client: PrefectClient) -> Any:
        return await client.read_deployment_by_name("ingest/handbook")

    made = ask(limits)
    assert made.global_concurrency_limit.limit == 1
    assert made.concurrency_options.collision_strategy.value == "CANCEL_NEW"
    assert made.work_queue_name == "writing"


def test_what_people_did_in_prefect_outlives_a_deploy_that_changes_something(prefect, config):
    deployed(config)

    async def interfere(client: PrefectClient) -> None:
        found = await client.read_deployment_by_name("ingest/handbook")
        await client.update_deployment_schedule(found.id, found.schedules[0].id, active=False)
        weekly = IntervalSchedule(interval=timedelta(days=7), anchor_date=datetime.now(UTC))
        await client.create_deployment_schedules(found.id, [(weekly, True)])
        (stale,) = await client.read_automations_by_name("headwater: handbook is stale")
        await client.pause_automation(stale.id)

    ask(interfere)
    write(config, "0 * * * *")
    assert deployed(config)["handbook"] == "changed"

    async def look(client: PrefectClient) -> Any:
        found = await client.read_deployment_by_name("ingest/handbook")
        (stale,) = await client.read_automations_by_name("headwater: handbook is stale")
        return found.schedules, stale.enabled

    schedules, enabled = ask(look)
    by_slug = {one.slug: one for one in schedules}
    assert by_slug["headwater"].schedule.cron == "0 * * * *"
    assert not by_slug["headwater"].active
    assert by_slug[None].active
    assert not enabled


def test_a_source_that_is_gone_from_the_settings_is_not_run_any_more(prefect, config):
    deployed(config)
    write(config, wiki=False)
    assert deployed(config)["wiki"] == "removed"


def test_deployments_of_other_settings_are_not_taken_over(prefect, config, tmp_path):
    deployed(config)
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other" / "headwater.toml")
    with pytest.raises(UserError, match=f"ingest/handbook of {config} already"):
        deployed(other, exclusive=False)


def test_a_stale_source_automation_fires_only_after_a_first_run(prefect, config):
    deployed(config)

    async def trigger(client: PrefectClient) -> Any:
        (stale,) = await client.read_automations_by_name("headwater: handbook is stale")
        return stale.trigger

    made = ask(trigger)
    assert made.after == made.expect == {"headwater.source.refreshed"}
    assert made.for_each == {"prefect.resource.id"}
    assert made.within == timedelta(hours=24)


def test_prefect_yaml_deploys_the_same_as_the_command():
    written = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    settings = load_settings(ROOT / "headwater.toml")
    wanted = wanted_deployments(settings, ROOT / "headwater.toml", None)
    # Which sources have a canary is for the settings to say.
    written = [one for one in written if one["entrypoint"] != "flows.scheduled.canary"]
    assert {(one["name"], one["entrypoint"]) for one in written} == {
        (one.name, one.entrypoint) for one in wanted
    }
    crons = {one["name"]: one.get("schedules", [{}])[0].get("cron") for one in written}
    assert crons == {one.name: one.schedule for one in wanted}


def test_schedules_have_the_slug_by_which_a_deploy_knows_its_own():
    written = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    slugs = {time["slug"] for one in written for time in one.get("schedules", ())}
    assert slugs == {"headwater"}
    assert "slug" in DeploymentScheduleCreate.model_fields
