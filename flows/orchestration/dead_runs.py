"""Flow runs whose process is gone, which Prefect takes for running; and those that were missed."""

import os
import signal
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from flows.orchestration.deploying import POOL
from flows.orchestration.processes import is_alive, tagged

_BEGUN: Final = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
_GONE: Final = "The process of the run is gone."
_ONCE_MORE: Final = "missed; the newest of those that were due makes up for it"


async def mark_dead(client: PrefectClient, *, exclusive: bool, unstarted: bool = False) -> int:
    """Mark runs whose process on this machine is gone as crashed, which frees what they hold.

    Args:
        client: Of the API.
        exclusive: Whether all workers of the API are on this machine.
        unstarted: Whether runs that were taken on and have no process yet are dead, too: there is
            no worker that could start them.

    Returns:
        How many.
    """
    begun = await client.read_flow_runs(
        flow_run_filter=_in_state(*_BEGUN), limit=200, sort=FlowRunSort.EXPECTED_START_TIME_DESC
    )
    dead = [run for run in begun if _is_dead(run, exclusive=exclusive, unstarted=unstarted)]
    return sum([await _move(client, run, _BEGUN, Crashed(message=_GONE)) for run in dead])


def _is_dead(run: FlowRun, *, exclusive: bool, unstarted: bool) -> bool:
    pid = tagged(run.tags) or (_pid_by_worker(run) if exclusive else None)
    if pid is not None:
        # A process starts after its run was due, and before the run begins in it.
        return not is_alive(pid, run.start_time or datetime.now(UTC))
    return unstarted and run.work_pool_name == POOL


def _pid_by_worker(run: FlowRun) -> int | None:
    known = run.infrastructure_pid if run.work_pool_name == POOL else None
    return int(known) if known and known.isdigit() else None


async def drop_missed(client: PrefectClient, now: datetime) -> int:
    """Of runs that were due and did not begin, leave the newest of each deployment.

    Returns:
        How many were dropped.
    """
    due = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=now),
        ),
        work_pool_filter=_pool(),
        sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC,
        limit=200,
    )
    missed, was = _all_but_newest(due), (StateType.SCHEDULED,)
    return sum([await _move(client, run, was, Cancelled(message=_ONCE_MORE)) for run in missed])


def _all_but_newest(due: Sequence[FlowRun]) -> list[FlowRun]:
    """Of runs in the order of their times; those that a person asked for are not missed."""
    by_itself = [run for run in due if run.auto_scheduled and run.deployment_id]
    newest: dict[UUID | None, UUID] = {run.deployment_id: run.id for run in by_itself}
    return [run for run in by_itself if newest[run.deployment_id] != run.id]


async def _move(client: PrefectClient, run: FlowRun, was: Collection[StateType], to: State) -> bool:
    """Give a run another state, unless it has moved on since it was listed: a worker took it on,
    say, or it has come to its end and its process was not needed any more.
    """
    try:
        state = (await client.read_flow_run(run.id)).state
        if state is None or state.type not in was:
            return False
        await client.set_flow_run_state(run.id, to, force=True)
    except ObjectNotFound:
        return False
    return True


def is_cancelled(run_id: UUID) -> bool:
    """Whether a run was cancelled since a worker took it on.

    Prefect would run it all the same, without the lease that it lost, and fail halfway.
    """
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
    return state is not None and state.is_cancelled()


async def kill_overdue(client: PrefectClient, now: datetime, timeout: timedelta) -> int:
    """Kill the processes of scheduled runs that have been running for longer than that.

    Only where all workers of the API are on this machine.

    Returns:
        How many.
    """
    running = await client.read_flow_runs(
        flow_run_filter=_in_state(StateType.RUNNING), work_pool_filter=_pool(), limit=200
    )
    return sum(_kill(run) for run in running if run.start_time and now - run.start_time > timeout)


def _kill(run: FlowRun) -> bool:
    pid = _pid_by_worker(run)
    if pid is None or not run.start_time or not is_alive(pid, run.start_time):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True


def _in_state(*types: StateType) -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types))))


def _pool() -> WorkPoolFilter:
    return WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
