"""The automations fire: a real Prefect server that lasts, and processes that fall silent."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient

from flows.orchestration.automations import settle_automations
from flows.orchestration.deploying import TAG, deploy
from flows.orchestration.runtime import answers
from flows.settings import load_settings
from tests.conftest import ROOT
from tests.servers import wait_for

pytestmark = pytest.mark.proof

SILENCE = timedelta(seconds=35)
"""A little more than the least that Prefect leaves between two heartbeats."""
REFRESHED = """
from prefect.events.worker import EventsWorker
from flows.alerts.events import EventName, Happening, publish, source_resource
handbook = source_resource("handbook")
publish([Happening(EventName.SOURCE_REFRESHED, handbook, {"source": "handbook"})])
EventsWorker.drain_all()
"""
ENDLESS = f"""
import time
from prefect import flow, tags
with tags("{TAG}"):
    flow(lambda: time.sleep(600), name="endless")()
"""


class Server:
    """Prefect, as `headwater up` has it."""

    def __init__(self, home: Path) -> None:
        self._database = home / "prefect.db"
        others = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        own = {"HOME": str(home), "PREFECT_HOME": str(home), "PYTHONPATH": str(ROOT)}
        self.environment = others | own
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            command = [sys.executable, "-m", "flows.orchestration.server"]
            self.process = subprocess.Popen(
                [*command, str(listener.fileno()), "lasting"],
                stdin=subprocess.PIPE, bufsize=0, env=self.environment,
                pass_fds=[listener.fileno()],
            )  # fmt: skip
        self.environment["PREFECT_API_URL"] = self.url
        wait_for(lambda: answers(self.url))

    def python(self, program: str) -> subprocess.Popen[bytes]:
        """A process that uses the server, and sends as many heartbeats as Prefect lets it."""
        often = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
        return subprocess.Popen(
            [sys.executable, "-c", program], env=self.environment | often, cwd=ROOT
        )

    def ask(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self._database)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With all deployments, and automations that wait for no more than seconds."""
    folder = tmp_path_factory.mktemp("automations")
    config = folder / "headwater.toml"
    objective = '{ warn_after = "10s", error_after = "20s" }'
    config.write_text(f'[[sources]]\nname = "handbook"\nuri = "docs"\nfreshness = {objective}\n')
    made = Server(folder)

    async def deploy_all() -> None:
        async with PrefectClient(made.url) as client:
            settings = load_settings(config)
            await deploy(client, settings, config, None, exclusive=True)
            await settle_automations(client, settings)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("flows.orchestration.automations._SILENCE", SILENCE)
            asyncio.run(deploy_all())
        yield made
    finally:
        made.process.communicate()  # It ends as its standard input does.


def test_a_source_whose_runs_stay_away_has_its_freshness_judged(server):
    judged = """select count(*) from flow_run r join deployment d on d.id = r.deployment_id
        where d.name = 'freshness' and r.created_by like '%handbook is stale%'"""
    assert server.python(REFRESHED).wait() == 0
    assert server.ask(judged) == [(0,)]
    wait_for(lambda: server.ask(judged) == [(1,)])


def test_a_run_whose_process_is_gone_is_marked_as_crashed(server):
    run = server.python(ENDLESS)
    heartbeat = "select count(*) from events where event = 'prefect.flow-run.heartbeat'"
    wait_for(lambda: server.ask(heartbeat) > [(0,)])
    run.kill()
    run.wait()
    state = """select r.state_type from flow_run r join flow f on f.id = r.flow_id
        where f.name = 'endless'"""
    assert server.ask(state) == [("RUNNING",)]
    wait_for(lambda: server.ask(state) == [("CRASHED",)])
