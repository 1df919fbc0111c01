"""Batches on Dask's workers: the same as here, also when a worker dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

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

N_DOCUMENTS = 200
N_WORKERS = 2

pytestmark = [
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An object store that texts are kept in."""
    monkeypatch.setenv("HEADWATER_TEXTS_URL", f"s3://{BUCKET}/texts")
    with object_store():
        yield


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
        (part / f"{number}.md").write_text(f"# Page {number}\n\n" + "\n".join(sections))
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
def dask(
    cluster: Cluster, database: str, chroma: Chroma, state: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    monkeypatch.setenv("HEADWATER_CATALOG_URL", database)
    monkeypatch.setenv("HEADWATER_VECTORS_URL", chroma.url)
    monkeypatch.setenv("HEADWATER_TASK_RUNNER", "dask")
    monkeypatch.setenv("HEADWATER_TASK_RUNNER_ADDRESS", cluster.address)
    settings = load_settings(state_dir=state)
    yield settings
    with open_stores(settings) as index:
        for target in index.targets:
            index.vectors.drop(target.generation.collection)


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
def test_a_worker_that_is_killed_changes_nothing_of_what_comes_of_a_run(
    dask, cluster, folder, state, tmp_path, monkeypatch
):
    write_pages(folder, N_DOCUMENTS)
    killed: list[int] = []

    def kill_one() -> None:
        wait_for(lambda: n_indexed(dask) > 0)
        cluster.workers[0].send_signal(signal.SIGKILL)
        killed.append(n_indexed(dask))

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    report = run_over(folder, state)
    killer.join(1)
    assert killed, report
    assert 0 < killed[0] < N_DOCUMENTS
    alone, memory = local(folder, tmp_path, monkeypatch)
    assert (report["balanced"], report["state"]) == (True, "completed_with_errors")
    assert report["documents"] == alone["documents"]
    assert report["reasons"] == alone["reasons"] == {"corrupt": 1}
    assert report["chunks"]["made"] == alone["chunks"]["made"]
    assert report["stages"]["parse"]["documents"] == N_DOCUMENTS + 1
    assert report["seconds"]["other"] >= 0
    assert remembered(dask) == memory
    again = run_over(folder, state)
    assert again["chunks"]["written"] == 0
    assert list((state / "texts").glob(".run-*")) == []


@pytest.mark.timeout(600)
def test_workers_that_do_not_see_the_texts_say_so(dask, folder, state, monkeypatch):
    write_pages(folder, 3)
    monkeypatch.setattr(TextStore, "mark", lambda self, name: None)
    report = run_over(folder, state)
    assert report["state"] == "failed"
    assert "does not see" in report["error"]
    assert not report["balanced"]


@pytest.mark.timeout(600)
def test_with_texts_in_an_object_store_workers_share_no_folder(
    s3, dask, folder, state, tmp_path, monkeypatch
):
    real, theirs = elsewhere._errand, tmp_path / "theirs"

    def on_another_machine(run: Run) -> Errand:
        made = real(run)
        return replace(made, settings={**made.settings, "state_dir": theirs})

    monkeypatch.setattr(elsewhere, "_errand", on_another_machine)
    write_pages(folder, 40)
    report = run_over(folder, state)
    alone, memory = local(folder, tmp_path, monkeypatch)
    assert (report["balanced"], report["documents"]) == (True, alone["documents"]), report
    assert remembered(dask) == memory
    assert len(objects()) == 40
    assert not theirs.exists()
    assert not (state / "texts").exists()


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


@pytest.mark.timeout(600)
def test_rays_workers_do_the_same(prefect, database, chroma, folder, state, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("HEADWATER_CATALOG_URL", database)
    monkeypatch.setenv("HEADWATER_VECTORS_URL", chroma.url)
    monkeypatch.setenv("HEADWATER_TASK_RUNNER", "ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    settings = load_settings(state_dir=state)
    write_pages(folder, 70)
    ray.init(num_cpus=N_WORKERS, include_dashboard=False, _node_ip_address="127.0.0.1")
    try:
        report = run_over(folder, state)
    finally:
        ray.shutdown()
    alone, memory = local(folder, tmp_path, monkeypatch)
    assert (report["balanced"], report["documents"]) == (True, alone["documents"]), report
    assert remembered(settings) == memory
    with open_stores(settings) as index:
        for target in index.targets:
            index.vectors.drop(target.generation.collection)
