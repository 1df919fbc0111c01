"""The part of `headwater up` that runs what is due.

It deploys what the settings ask for, clears away what dead processes have left behind, and works
off Prefect's schedules.

python -m flows.up.worker EXCLUSIVE [CONFIG [STATE]]
"""

import asyncio
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

import psutil

from flows.settings import Settings, load_settings
from flows.up.parent import end_with_parent, name_as_parent

_LOGGER: Final = logging.getLogger(__name__)
_TEND_EVERY_S: Final = 20.0
_STOP_S: Final = 20.0
"""How long runs have to come to an end when they are told to stop."""


def main() -> None:
    end_with_parent()
    name_as_parent(os.environ)
    # Runs are started as `python …`, which is to be this one.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    signal.signal(signal.SIGTERM, _stop)
    exclusive = sys.argv[1] == "exclusive"
    config, state = (Path(given) if given else None for given in (*sys.argv[2:], "", "")[:2])
    asyncio.run(_work(load_settings(config, state), config, state, exclusive=exclusive))


async def _work(
    settings: Settings, config: Path | None, state: Path | None, *, exclusive: bool
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.workers.process import ProcessWorker

    from flows.orchestration.automations import settle_automations
    from flows.orchestration.dead_runs import drop_missed, mark_dead
    from flows.orchestration.deploying import POOL, deploy
    from flows.orchestration.garbage import collect_often
    from flows.orchestration.runtime import answers

    while not await asyncio.to_thread(answers, os.environ["PREFECT_API_URL"]):
        await asyncio.sleep(0.2)
    async with get_client() as client:
        await mark_dead(client, exclusive=exclusive, unstarted=exclusive)
        await deploy(client, settings, config, state, exclusive=exclusive)
        await settle_automations(client, settings)
        await drop_missed(client, datetime.now(UTC))
    collect_often()
    worker = ProcessWorker(work_pool_name=POOL, name=worker_name(os.getpid()))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_tend(settings, exclusive=exclusive))
        await worker.start(printer=lambda *said: None)


def worker_name(pid: int) -> str:
    """What the worker in a process is called in Prefect."""
    return f"headwater-up-{pid}"


async def _tend(settings: Settings, *, exclusive: bool) -> None:
    """Keep runs that are dead, late or endless from being in the way."""
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException

    from flows.orchestration.dead_runs import drop_missed, kill_overdue, mark_dead

    while True:
        await asyncio.sleep(_TEND_EVERY_S)
        try:
            async with get_client() as client:
                now = datetime.now(UTC)
                await mark_dead(client, exclusive=exclusive)
                await drop_missed(client, now)
                if exclusive:
                    await kill_overdue(client, now, settings.up.run_timeout)
        except (HTTPError, PrefectException, OSError) as error:
            # It may be being started again; said in the log in case it is not.
            _LOGGER.warning("Prefect does not answer: %s", type(error).__name__)


def _stop(signum: int, frame: FrameType | None) -> None:
    """Tell the runs to stop, and end when they have.

    Nothing else goes on in this process meanwhile: no other run is started.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    runs = [one for one in psutil.Process().children() if "flows.up.flow_run" in one.cmdline()]
    for run in runs:
        run.send_signal(signal.SIGINT)
    _, late = psutil.wait_procs(runs, timeout=_STOP_S)
    for run in late:
        run.kill()
    os._exit(0)


if __name__ == "__main__":
    main()
