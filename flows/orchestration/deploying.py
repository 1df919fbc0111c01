"""Having Prefect know what runs by itself: created, changed or removed as the settings ask.

Nothing is touched that is as it should be. What people do in Prefect stays: a deployment or a
schedule that they paused, a schedule that they added, an automation that they switched off.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.objects import ConcurrencyOptions as Options
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from flows.errors import UserError
from flows.orchestration.deployments import Wanted, wanted_deployments
from flows.runs.lease import is_shared
from flows.settings import Settings
from flows.up.settings import interval

POOL: Final = "headwater"
TAG: Final = "headwater"
_QUEUES: Final = {True: "writing", False: "default"}
"""By whether the runs write."""
_SLUG: Final = "headwater"
_EPOCH: Final = datetime(2024, 1, 1, tzinfo=UTC)
"""What intervals are counted from: the same for each deploy, so that none changes anything."""
_COMPARED: Final = (
    "entrypoint",
    "description",
    "parameters",
    "parameter_openapi_schema",
    "paused",
    "work_pool_name",
    "work_queue_name",
    "tags",
    "pull_steps",
)
_LIMIT: Final = ConcurrencyLimitConfig(
    limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was done with a deployment or an automation."""

    name: str
    done: str
    """created, changed, unchanged or removed."""
    schedule: str | None = None


async def deploy(
    client: PrefectClient,
    settings: Settings,
    config: Path | None,
    state: Path | None,
    *,
    exclusive: bool,
) -> list[Deployed]:
    """Make pool, queues and deployments what the settings ask for.

    Args:
        client: Of the API to deploy to.
        settings: Read from `config`.
        config: The settings file, absolute, if there is one.
        state: The state directory, absolute, if it is not the one in the settings.
        exclusive: Whether nobody else has deployments there.

    Raises:
        UserError: A deployment of that name is of other settings, or a schedule is wrong.
    """
    await _make_pool(client, settings)
    there = await client.read_deployments(
        deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    )
    wanted = wanted_deployments(settings, config, state)
    done = [await _settle(client, one, exclusive=exclusive) for one in wanted]
    return done + [
        await _remove(client, old)
        for old in there
        if (exclusive or old.parameters.get("config") == (str(config) if config else None))
        and (old.entrypoint, old.name) not in {(one.entrypoint, one.name) for one in wanted}
    ]


async def _make_pool(client: PrefectClient, settings: Settings) -> None:
    try:
        await client.read_work_pool(POOL)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        # A run ends with the worker that started it.
        template["variables"]["properties"]["command"]["default"] = "python -m flows.up.flow_run"
        pool = WorkPoolCreate(name=POOL, type="process", base_job_template=template)
        await client.create_work_pool(pool)
    limit = settings.up.parallel_runs if is_shared(settings) else 1
    name = _QUEUES[True]
    try:
        queue = await client.read_work_queue_by_name(name, POOL)
    except ObjectNotFound:
        queue = await client.create_work_queue(name=name, work_pool_name=POOL)
    if queue.concurrency_limit != limit:
        await client.update_work_queue(queue.id, concurrency_limit=limit)


async def _settle(client: PrefectClient, wanted: Wanted, *, exclusive: bool) -> Deployed:
    try:
        old = await client.read_deployment_by_name(wanted.full_name)
    except ObjectNotFound:
        old = None
    if old and not exclusive:
        _require_ours(old, wanted)
    flow = _flow(wanted)
    asked = _asked(wanted, flow, old)
    if old and _is_as_asked(old, asked):
        return Deployed(wanted.full_name, "unchanged", wanted.schedule)
    flow_id = await client.create_flow(flow)
    await client.create_deployment(flow_id, **asked)
    return Deployed(wanted.full_name, "changed" if old else "created", wanted.schedule)


async def _remove(client: PrefectClient, old: DeploymentResponse) -> Deployed:
    await client.delete_deployment(old.id)
    return Deployed(old.name, "removed")


def _require_ours(old: DeploymentResponse, wanted: Wanted) -> None:
    theirs, ours = old.parameters.get("config"), wanted.parameters["config"]
    if theirs != ours and Path(str(theirs)).is_file():
        raise UserError(
            f"Prefect has a deployment {wanted.full_name} of {theirs} already: give the source "
            "another name, or use another Prefect API for these settings"
        )


def _flow(wanted: Wanted) -> Flow[..., Any]:
    module, _, name = wanted.entrypoint.rpartition(".")
    flow: Flow[..., Any] = getattr(import_module(module), name)
    return flow


def _asked(wanted: Wanted, flow: Flow[..., Any], old: DeploymentResponse | None) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "entrypoint": wanted.entrypoint,
        "description": flow.description,
        "parameters": wanted.parameters,
        "parameter_openapi_schema": parameter_schema(flow).model_dump_for_openapi(),
        "enforce_parameter_schema": True,
        "schedules": list(_schedules(wanted, old)),
        "paused": old.paused if old else False,
        "concurrency_limit": _LIMIT.limit,
        "concurrency_options": Options(collision_strategy=_LIMIT.collision_strategy),
        "work_pool_name": POOL,
        "work_queue_name": _QUEUES[wanted.writes],
        "tags": [TAG],
        "pull_steps": [],
    }


def _schedules(
    wanted: Wanted, old: DeploymentResponse | None
) -> Iterator[DeploymentScheduleCreate]:
    """The one that the settings ask for, and those that people added."""
    before = {schedule.slug: schedule for schedule in old.schedules} if old else {}
    if wanted.schedule:
        active = before[_SLUG].active if _SLUG in before else True
        yield DeploymentScheduleCreate(
            schedule=_schedule(wanted), active=active, slug=_SLUG, parameters={}
        )
    for schedule in old.schedules if old else ():
        if schedule.slug != _SLUG:
            yield DeploymentScheduleCreate(
                schedule=schedule.schedule,
                active=schedule.active,
                slug=schedule.slug,
                parameters=schedule.parameters,
            )


def _schedule(wanted: Wanted) -> CronSchedule | IntervalSchedule:
    assert wanted.schedule
    every = interval(wanted.schedule)
    if every is not None:
        return IntervalSchedule(interval=every, anchor_date=_EPOCH, timezone="UTC")
    try:
        return CronSchedule(cron=wanted.schedule, timezone="UTC")
    except ValueError:
        raise UserError(
            f"the schedule {wanted.schedule!r} of {wanted.full_name} is no cron"
        ) from None


def _is_as_asked(old: DeploymentResponse, asked: dict[str, Any]) -> bool:
    limit = old.global_concurrency_limit.limit if old.global_concurrency_limit else None
    return (
        all((getattr(old, name) or None) == (asked[name] or None) for name in _COMPARED)
        and limit == asked["concurrency_limit"]
        and old.concurrency_options is not None
        and old.concurrency_options.collision_strategy == _LIMIT.collision_strategy
        and _times(old.schedules) == _times(asked["schedules"])
    )


def _times(schedules: Sequence[Any]) -> dict[str, str]:
    """What is to be compared of schedules, by slug."""
    return {
        str(one.slug): f"{one.schedule.model_dump_json()} {one.active} {one.parameters}"
        for one in schedules
    }
