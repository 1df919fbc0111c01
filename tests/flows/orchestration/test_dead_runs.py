"""Runs whose process is gone do not run for ever, and missed ones do not pile up."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelled, Completed, Pending, Running, Scheduled

from flows.orchestration import processes
from flows.orchestration.dead_runs import _all_but_newest, _is_dead, drop_missed, mark_dead
from flows.orchestration.deploying import POOL
from flows.runs.lease import is_dead
from flows.settings import load_settings


@flow
def nothing() -> None: ...


def ask(what: Callable[[PrefectClient], Awaitable[Any]]) -> Any:
    async def asked() -> Any:
        async with get_client() as client:
            return await what(client)

    return asyncio.run(asked())


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_of_a_dead_process_is_marked_and_others_are_not(prefect):
    async def judged(client: PrefectClient) -> dict[str, str]:
        host = socket.gethostname()
        tags = {
            "dead": f"process:{ended_process()}@{host}",
            "alive": processes.own_tag(),
            "elsewhere": f"process:{ended_process()}@another-{host}",
            "unknown": "nightly",
        }
        runs = {
            name: await client.create_flow_run(nothing, tags=[tag], state=Running())
            for name, tag in tags.items()
        }
        await mark_dead(client, exclusive=True, unstarted=True)
        return {name: (await client.read_flow_run(run.id)).state_name for name, run in runs.items()}

    assert ask(judged) == {
        "dead": "Crashed", "alive": "Running", "elsewhere": "Running", "unknown": "Running",
    }  # fmt: skip


def test_a_run_that_has_ended_since_it_was_listed_has_not_crashed(prefect, monkeypatch):
    async def judged(client: PrefectClient) -> str | None:
        tag = f"process:{ended_process()}@{socket.gethostname()}"
        run = await client.create_flow_run(nothing, tags=[tag], state=Running())

        async def listed(self: PrefectClient, **options: Any) -> list[FlowRun]:
            await client.set_flow_run_state(run.id, Completed(), force=True)
            return [run]

        monkeypatch.setattr(PrefectClient, "read_flow_runs", listed)
        assert await mark_dead(client, exclusive=True) == 0
        return (await client.read_flow_run(run.id)).state_name

    assert ask(judged) == "Completed"


def test_a_run_whose_process_has_just_started_is_not_dead():
    run = FlowRun(
        flow_id=uuid4(),
        work_pool_name=POOL,
        infrastructure_pid=str(os.getpid()),
        expected_start_time=datetime.now(UTC) - timedelta(days=1),
    )
    assert not _is_dead(run, exclusive=True, unstarted=False)


def due(deployment: UUID, minute: int, *, by_itself: bool = True) -> FlowRun:
    return FlowRun(
        id=uuid4(),
        flow_id=uuid4(),
        deployment_id=deployment,
        auto_scheduled=by_itself,
        next_scheduled_start_time=datetime(2026, 6, 1, 12, minute, tzinfo=UTC),
    )


def test_of_missed_runs_the_newest_of_each_deployment_is_left_and_what_people_asked_for():
    one, other = uuid4(), uuid4()
    runs = [due(one, 0), due(other, 1), due(one, 2), due(one, 3), due(one, 4, by_itself=False)]
    assert _all_but_newest(runs) == [runs[0], runs[2]]


def test_a_run_that_was_cancelled_before_its_process_began_does_not_begin(prefect):
    async def cancelled(client: PrefectClient) -> UUID:
        run = await client.create_flow_run(nothing, state=Pending())
        await client.set_flow_run_state(run.id, Cancelled())
        return run.id

    run_id = ask(cancelled)
    environment = {**os.environ, "PREFECT__FLOW_RUN_ID": str(run_id)}
    command = [sys.executable, "-m", "flows.up.flow_run"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ask(lambda client: client.read_flow_run(run_id)).state_name == "Cancelled"


def test_a_run_that_a_worker_took_on_meanwhile_is_not_dropped(prefect, monkeypatch):
    async def states(client: PrefectClient) -> list[str]:
        begun, late = [
            await client.create_flow_run(nothing, state=state) for state in (Pending(), Scheduled())
        ]
        # As listed before the worker came.
        monkeypatch.setattr(
            "flows.orchestration.dead_runs._all_but_newest", lambda due: [begun, late]
        )
        assert await drop_missed(client, datetime.now(UTC)) == 1
        found = [await client.read_flow_run(run.id) for run in (begun, late)]
        return [run.state_name for run in found]

    assert ask(states) == ["Pending", "Cancelled"]


def test_a_younger_process_with_the_same_id_is_another():
    now = datetime.now(UTC)
    assert processes.is_alive(os.getpid(), now)
    assert not processes.is_alive(os.getpid(), now - timedelta(days=365))
    assert not processes.is_alive(ended_process(), now)


def test_a_run_is_dead_when_nobody_holds_the_lease(tmp_path):
    settings = load_settings(state_dir=tmp_path)
    now = datetime.now(UTC)
    assert is_dead(settings, now)
    lease = '{"pid": "%d", "host": "%s", "since": ""}'
    (tmp_path / "lease").write_text(lease % (os.getpid(), socket.gethostname()))
    assert not is_dead(settings, now)
    (tmp_path / "lease").write_text(lease % (ended_process(), socket.gethostname()))
    assert is_dead(settings, now)
    (tmp_path / "lease").write_text(lease % (ended_process(), "another"))
    assert not is_dead(settings, now)
