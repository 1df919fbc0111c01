"""Batches on the workers of Dask and of Ray: the same as here, also when a worker dies."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa

from flows.errors import RunFailed, UsageError
from flows.runs import elsewhere
from flows.runs.errands import Errand
from flows.runs.lease import await_batches, batch_lease
from flows.runs.run import Run
from flows.settings import Settings, load_settings
from flows.wiring import open_catalog, open_stores
from index.catalog import tables
from index.texts import TextStore
from tests.conftest import ROOT
from tests.memory import recall
from tests.servers import Chroma, wait_for
from tests.stores import BUCKET, object_store, objects

N_DOCUMENTS = 80
N_WORKERS = 2
LARGE = f"<!-- {'-' * 2048} -->"
"""Few of such are in a batch."""

pytestmark = [
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


class Cluster:
    """A Dask scheduler and its workers, each a process without a nanny that would restart it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "scheduler.json"
        self._log = (folder / "dask.log").open("wb")
        self._processes = [self._start("scheduler", "--port", "0")]
        wait_for(self._file.exists)
        self.workers = [self._start_worker() for _ in range(N_WORKERS)]
        self._processes += self.workers

    @property
    def address(self) -> str:
        import json

        found: str = json.loads(self._file.read_text())["address"]
        return found

    def _start_worker(self) -> subprocess.Popen[bytes]:
        return self._start("worker", "--nthreads", "1", "--no-nanny")

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        here = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(self._file))
        command = [sys.executable, "-m", "dask", *words, *here]
        path = {"PYTHONPATH": str(ROOT), "HOME": str(self._file.parent)}
        return subprocess.Popen(
            command, stdout=self._log, stderr=self._log, env={**os.environ, **path}
        )

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._log.close()


@pytest.fixture
def cluster(prefect: None, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.stop()


def write_pages(folder: Path, n: int) -> None:
    for number in range(n):
        part = folder / f"{number % 7}"
        part.mkdir(exist_ok=True)
        sections = [f"## Part {k}\n\nWords {k} of page {number}.\n" for k in range(3)]
        (part / f"{number}.md").write_text(f"# Page {number}\n\n{LARGE}\n\n" + "\n".join(sections))
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")


def run_over(folder: Path, state: Path) -> dict[str, Any]:
    from flows.ingest import ingest

    try:
        return ingest(str(folder), state=str(state))
    except RunFailed as failure:
        return failure.report.as_json()


def remembered(settings: Settings) -> tuple[Any, Any]:
    """All but the last digits of vectors, which depend on what they were embedded along with."""
    with open_stores(settings) as index:
        found = recall(index)
    return {key: one[:2] for key, one in found.chunks.items()}, found.documents


def n_indexed(settings: Settings) -> int:
    """How many documents have become searchable so far."""
    query = sa.select(sa.func.count()).select_from(tables.version)
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        return connection.scalar(query) or 0


@pytest.fixture
def servers(
    prefect: None, database: str, chroma: Chroma, state: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Settings with stores that workers reach."""
    monkeypatch.setenv("HEADWATER_CATALOG_URL", database)
    monkeypatch.setenv("HEADWATER_VECTORS_URL", chroma.url)
    settings = load_settings(state_dir=state)
    yield settings
    with open_stores(settings) as index:
        for target in index.targets:
            index.vectors.drop(target.generation.collection)


@pytest.fixture
def dask(servers: Settings, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HEADWATER_TASK_RUNNER", "dask")
    monkeypatch.setenv("HEADWATER_TASK_RUNNER_ADDRESS", cluster.address)
    return servers


@pytest.fixture
def ray(servers: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A Ray of this machine, in which runs of this process have their batches done."""
    started = pytest.importorskip("ray")
    monkeypatch.setenv("HEADWATER_TASK_RUNNER", "ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    started.init(num_cpus=N_WORKERS, include_dashboard=False, _node_ip_address="127.0.0.1")
    yield servers
    started.shutdown()


def kill_worker_of_ray() -> None:
    """End one that is at work on a batch: Ray has titles tell."""
    at_work: list[psutil.Process] = []

    def is_one_at_work() -> bool:
        for one in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if " ".join(one.cmdline()).startswith("ray::index batch"):
                    at_work.append(one)
        return bool(at_work)

    wait_for(is_one_at_work)
    at_work[0].kill()


def local(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], Any]:
    """The report and the memory of a run on one machine with nothing but its own files."""
    with monkeypatch.context() as alone:
        for name in ("CATALOG_URL", "VECTORS_URL", "TEXTS_URL", "TASK_RUNNER"):
            alone.delenv(f"HEADWATER_{name}", raising=False)
        report = run_over(folder, tmp_path / "local")
        return report, remembered(load_settings(state_dir=tmp_path / "local"))


@pytest.mark.timeout(600)
def test_a_worker_of_dask_that_is_killed_changes_nothing_of_what_comes_of_a_run(
    dask, cluster, folder, state, tmp_path, monkeypatch
):
    write_pages(folder, N_DOCUMENTS)
    with killing(dask, cluster.workers[0].kill):
        report = run_over(folder, state)
    expect_as_local(dask, report, local(folder, tmp_path, monkeypatch))
    again = run_over(folder, state)
    assert again["chunks"]["written"] == 0
    assert list((state / "texts").glob(".run-*")) == []


@pytest.fixture
def without_a_shared_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Workers have another state directory, and texts are kept in an object store."""
    real, theirs = elsewhere._errand, tmp_path / "theirs"

    def on_another_machine(run: Run) -> Errand:
        made = real(run)
        return replace(made, settings={**made.settings, "state_dir": theirs})

    monkeypatch.setattr(elsewhere, "_errand", on_another_machine)
    monkeypatch.setenv("HEADWATER_TEXTS_URL", f"s3://{BUCKET}/texts")
    with object_store():
        yield theirs


@pytest.mark.timeout(600)
def test_without_a_shared_folder_a_killed_worker_of_ray_changes_nothing_either(
    without_a_shared_folder, ray, folder, state, tmp_path, monkeypatch
):
    write_pages(folder, N_DOCUMENTS)
    with killing(ray, kill_worker_of_ray):
        report = run_over(folder, state)
    expect_as_local(ray, report, local(folder, tmp_path, monkeypatch))
    assert len(objects()) == N_DOCUMENTS
    assert not without_a_shared_folder.exists()
    assert not (state / "texts").exists()


@contextmanager
def killing(settings: Settings, kill: Callable[[], None]) -> Iterator[None]:
    """Kill something in the middle of the run that is within the block."""
    n_before: list[int] = []

    def kill_then() -> None:
        wait_for(lambda: n_indexed(settings) > 0)
        kill()
        n_before.append(n_indexed(settings))

    killer = threading.Thread(target=kill_then, daemon=True)
    killer.start()
    yield
    killer.join(1)
    assert n_before
    assert 0 < n_before[0] < N_DOCUMENTS


def expect_as_local(
    settings: Settings, report: dict[str, Any], alone: tuple[dict[str, Any], Any]
) -> None:
    """A run's report and what it left are those of the run on one machine."""
    its_report, memory = alone
    assert (report["balanced"], report["state"]) == (True, "completed_with_errors"), report
    assert report["documents"] == its_report["documents"]
    assert report["reasons"] == its_report["reasons"] == {"corrupt": 1}
    assert report["chunks"]["made"] == its_report["chunks"]["made"]
    assert report["stages"]["parse"]["documents"] == N_DOCUMENTS + 1
    assert report["seconds"]["other"] >= 0
    assert remembered(settings) == memory


@pytest.mark.timeout(600)
def test_workers_that_do_not_see_the_texts_say_so(dask, folder, state, monkeypatch):
    write_pages(folder, 3)
    monkeypatch.setattr(TextStore, "mark", lambda self, name: None)
    report = run_over(folder, state)
    assert report["state"] == "failed"
    assert "does not see" in report["error"]
    assert not report["balanced"]


def test_a_remote_runner_needs_stores_that_all_reach(folder, state, monkeypatch):
    from flows.ingest import ingest

    monkeypatch.setenv("HEADWATER_TASK_RUNNER", "dask")
    with pytest.raises(UsageError, match=r"catalog_url .* vectors_url"):
        ingest.fn(str(folder), state=str(state))


def test_a_run_waits_for_batches_of_the_one_before(database, state, monkeypatch):
    monkeypatch.setenv("HEADWATER_CATALOG_URL", database)
    monkeypatch.setenv("HEADWATER_VECTORS_URL", "http://127.0.0.1:9")
    settings = load_settings(state_dir=state)
    ended: list[str] = []

    def follow(wait: Callable[[], None]) -> None:
        wait()
        ended.append("next run")

    with open_catalog(settings) as mine, open_catalog(settings) as theirs:
        with batch_lease(settings, mine, "handbook"), batch_lease(settings, theirs, "handbook"):
            waiting = threading.Thread(
                target=follow, args=(lambda: await_batches(settings, theirs, "handbook"),)
            )
            waiting.start()
            time.sleep(0.5)
            ended.append("batches")
        waiting.join(30)
    assert ended == ["batches", "next run"]
