"""`headwater up`: real processes, killed and told to stop."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.searching import find_now
from flows.settings import load_settings
from flows.up.addresses import Addresses, running
from tests.conftest import ROOT

pytestmark = pytest.mark.proof

START_S = 30
"""What people are promised on two cores that have nothing else to do."""
PATIENCE_S = 90
WORDS = "The xylographer counts quillworts at dawn."


class Up:
    """A `headwater up` on settings of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        (folder / "docs").mkdir()
        (folder / "docs" / "dawn.md").write_text(f"# Dawn\n\n{WORDS}\n")
        (folder / "headwater.toml").write_text(
            'state_dir = "state"\n[schedules]\nfreshness = "never"\n'
            '[[sources]]\nname = "docs"\nuri = "docs"\nschedule = "10s"\n'
            "[dashboard]\nport = 0\n"
        )
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")
        } | {"HOME": str(folder), "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
        self.command: subprocess.Popen[str] | None = None
        self.told: dict[str, Any] = {}

    def words(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from flows.cli import main; main()", *arguments]

    def start(self) -> "Up":
        with (self.folder / "errors").open("a") as errors:
            self.command = subprocess.Popen(
                self.words("up", "--json"), cwd=self.folder, env=self.environment, text=True,
                stdout=subprocess.PIPE, stderr=errors,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip
        assert self.command.stdout is not None
        with self.command.stdout as told:
            line = told.readline()
        assert line, (self.folder / "errors").read_text()
        self.told = json.loads(line)
        return self

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.words(*arguments), cwd=self.folder, env=self.environment, text=True,
            capture_output=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def nearest(self, words: str) -> str:
        """The uri of what a search finds first."""
        (found,) = find_now(load_settings(self.folder / "headwater.toml"), words, 1, None)
        return str(found.as_json()["uri"])

    def processes(self) -> list[psutil.Process]:
        """Of the command, and of all that it has ever started and that are left."""
        found = []
        for process in psutil.process_iter():
            try:
                home = process.environ().get("HOME")
                if home == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def parts(self, module: str) -> list[psutil.Process]:
        found = []
        for process in self.processes():
            with suppress(psutil.Error):
                found += [process] if module in process.cmdline() else []
        return found

    def scheduled_runs(self, *states: str) -> list[tuple[str, str]]:
        """Ids and states of Prefect's runs of the source that schedules have started."""
        query = """select run.id, run.state_type from flow_run run
            join deployment d on d.id = run.deployment_id where d.name = 'docs'"""
        with closing(sqlite3.connect(self.state / "prefect" / "prefect.db")) as connection:
            rows = connection.execute(query).fetchall()
        return [(run, state) for run, state in rows if state in states]

    def end(self) -> None:
        if self.command is None:
            return
        for process in self.processes():
            process.kill()
        self.command.wait()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    made = Up(tmp_path_factory.mktemp("up"))
    try:
        yield made.start()
    finally:
        made.end()


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError("it did not happen")


def test_all_parts_answer_on_loopback_within_half_a_minute(up, capsys):
    with capsys.disabled():
        print(f"\nheadwater up after {up.told['seconds']} s", file=sys.stderr)
    busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    assert busy or up.told["seconds"] < START_S
    assert {"prefect", "vectors", "worker", "dashboard"} <= set(up.told["processes"])
    with urllib.request.urlopen(up.told["dashboard"], timeout=30) as page:
        assert "docs" in page.read().decode()
    listening = {
        connection.laddr.ip
        for process in up.processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_schedule_fires_and_its_run_lands(up):
    wait_for(lambda: up.scheduled_runs("COMPLETED"))
    assert up.nearest(WORDS) == "dawn.md"
    status = json.loads(up.run("status", "--json").stdout)
    assert (status["state"], status["chunks"]) == ("fresh", 1)


def test_a_second_one_is_told_in_one_line_where_the_first_is(up):
    done = up.run("up", status=1)
    (line,) = (one for one in done.stderr.splitlines() if one.startswith("headwater: "))
    assert f"process {up.told['pid']}" in line
    assert up.told["dashboard"] in line


def test_commands_use_the_servers_and_see_at_once_what_they_wrote(up):
    (up.folder / "docs" / "dusk.md").write_text("# Dusk\n\nBandicoots are fed at dusk.\n")
    done = up.run("ingest", "docs", "--json", "--wait", "60")
    assert "Starting Prefect" not in done.stderr
    assert json.loads(done.stdout)["balanced"] is True
    assert up.nearest("Bandicoots are fed at dusk.") == "dusk.md"
    told = [json.loads(line) for line in up.run("doctor", "--json").stdout.splitlines()]
    (api,) = (one["detail"] for one in told if one["check"] == "prefect api")
    assert up.told["prefect"] in api
    assert up.scheduled_runs("CRASHED", "FAILED") == []


@pytest.mark.parametrize(
    "module", ["flows.up.vectors", "flows.orchestration.server", "flows.up.worker"]
)
def test_a_part_that_is_killed_is_started_again(up, module):
    (before,) = up.parts(module)
    before.kill()
    wait_for(lambda: {one.pid for one in up.parts(module)} - {before.pid})
    assert "was ended by SIGKILL" in (up.folder / "errors").read_text()


def test_runs_go_on_after_each_part_was_killed(up):
    done = set(up.scheduled_runs("COMPLETED"))
    wait_for(lambda: set(up.scheduled_runs("COMPLETED")) - done)
    told = json.loads(up.run("reconcile", "--wait", "60", "--json").stdout)
    assert set(told["faults"].values()) == {0}


def test_killed_it_leaves_no_process_and_the_next_one_clears_up(up):
    (run, _) = wait_for(lambda: up.scheduled_runs("RUNNING"))[0]
    os.kill(up.told["pid"], signal.SIGKILL)
    up.command.wait()
    deadline = time.monotonic() + 10
    while up.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert up.processes() == []
    assert running(up.state) is None
    up.start()
    assert run not in dict(up.scheduled_runs("RUNNING"))
    assert dict(up.scheduled_runs("CRASHED", "COMPLETED"))[run]


def test_ctrl_c_stops_everything_cleanly(up):
    os.kill(up.told["pid"], signal.SIGINT)
    assert up.command.wait(timeout=PATIENCE_S) == 0
    assert up.processes() == []
    assert not (up.state / "up.json").exists()
    assert "Traceback" not in (up.folder / "errors").read_text()
    assert up.nearest(WORDS) == "dawn.md"


def test_what_a_killed_one_left_is_not_taken_for_a_running_one(tmp_path):
    left = Addresses(pid=os.getpid(), since="2026-01-01T00:00:00+00:00", prefect="http://x")
    (tmp_path / "up.json").write_text(json.dumps({"pid": left.pid, "since": left.since}))
    (tmp_path / "up.lock").touch()
    assert running(tmp_path) is None


def test_that_anybody_could_come_in_is_told_before_anything_is_started(tmp_path):
    (tmp_path / "headwater.toml").write_text('[dashboard]\nhost = "0.0.0.0"\n')
    done = subprocess.run(
        [sys.executable, "-c", "from flows.cli import main; main()", "up"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        capture_output=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 2
    assert "lets others in: set dashboard.token_env" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["headwater.toml"]
