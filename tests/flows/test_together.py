"""Several at once on one state: one writes, the others wait or are told, and readers never lie."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.settings import load_settings
from flows.wiring import open_stores
from tests.fakes import FakeEmbedder
from tests.memory import recall

pytestmark = pytest.mark.proof

WRITER = """
import sys, time, pathlib
from tests.fakes import FakeEmbedder
import flows.wiring, flows.runs.batch_work, flows.ingest
from flows.errors import UserError
flows.wiring.Embedder = FakeEmbedder
real = flows.runs.batch_work.publish
def publish(*arguments):
    time.sleep(float(sys.argv[4]))
    return real(*arguments)
flows.runs.batch_work.publish = publish
print("ready", flush=True)
sys.stdin.readline()
try:
    print(flows.ingest.ingest(sys.argv[1], state=sys.argv[2], wait_s=float(sys.argv[3]))["state"])
except UserError as error:
    print(error)
    sys.exit(1)
"""

READER = """
import functools, json, pathlib, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from tests.fakes import FakeEmbedder
import flows.wiring
flows.wiring.Embedder = FakeEmbedder
flows.wiring.find_model = functools.cache(flows.wiring.find_model)
from flows.searching import find_now
from flows.settings import load_settings
from flows.freshness.status import all_statuses
from flows.wiring import open_catalog
settings = load_settings(state_dir=pathlib.Path(sys.argv[1]))
def look(n):
    answers = []
    while not stop.is_set():
        began = time.time()
        texts = sorted(result.text for result in find_now(settings, "round", 50, None))
        answers.append([began, time.time(), texts])
        with open_catalog(settings) as catalog:
            assert len(all_statuses(settings, catalog)) == 1
        time.sleep(0.1)
    return answers
find_now(settings, "round", 50, None)
print("ready", flush=True)
stop = threading.Event()
sys.stdin.readline()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set())).start()
with ThreadPoolExecutor(10) as pool:
    print(json.dumps([one for answers in pool.map(look, range(10)) for one in answers]))
"""


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes, and sees to it that they end."""
    started: list[subprocess.Popen[str]] = []

    def one(script: str, *arguments: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return started[-1]

    yield one
    for process in started:
        with process:
            process.kill()


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def write_round(folder: Path, number: int) -> None:
    for n in range(8):
        (folder / f"{n}.md").write_text(f"# Page {n}\n\nRound {number} of page {n}.\n")


def remembered(state: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("flows.wiring.Embedder", FakeEmbedder)
    with open_stores(load_settings(state_dir=state)) as index:
        return recall(index)


def test_of_two_runs_at_once_one_runs_and_the_other_says_why_not(
    prefect, folder, state, monkeypatch, start
):
    write_round(folder, 1)
    both = [start(WRITER, folder, state, 0, 3) for _ in range(2)]
    for one in both:
        ready(one)
        _go(one)
    answers = sorted((_rest(one), one.wait()) for one in both)
    assert answers[0] == ("completed", 0)
    said, status = answers[1]
    assert status == 1
    assert "is writing to" in said
    assert "--wait" in said
    assert len(said.splitlines()) == 1
    assert len(remembered(state, monkeypatch).documents) == 8


def test_a_run_that_may_wait_comes_after_the_other(prefect, folder, state, monkeypatch, start):
    write_round(folder, 1)
    both = [start(WRITER, folder, state, 60, 1) for _ in range(2)]
    for one in both:
        ready(one)
        _go(one)
    assert [(_rest(one), one.wait()) for one in both] == [("completed", 0)] * 2
    assert len(remembered(state, monkeypatch).documents) == 8


def test_readers_during_a_write_find_what_was_searchable_then(
    prefect, ingest, folder, state, start
):
    write_round(folder, 1)
    ingest()
    readers = [start(READER, state) for _ in range(2)]
    writer = start(WRITER, folder, state, 0, 2)
    for one in (*readers, writer):
        ready(one)
    write_round(folder, 2)
    for one in (*readers, writer):
        _go(one)
    assert _rest(writer) == "completed"
    time.sleep(1)
    for one in readers:
        _go(one)
    answers = [tuple(answer) for one in readers for answer in json.loads(_rest(one))]
    assert [one.wait() for one in readers] == [0] * 2
    assert {tuple(texts) for _, _, texts in answers} == {_texts(1), _texts(2)}
    changed = min(ended for _, ended, texts in answers if tuple(texts) == _texts(2))
    assert all(tuple(texts) == _texts(2) for began, _, texts in answers if began > changed)
    assert any(tuple(texts) == _texts(1) for _, _, texts in answers)
    assert len(answers) > 20


def _texts(number: int) -> tuple[str, ...]:
    return tuple(f"# Page {n}\n\nRound {number} of page {n}." for n in range(8))


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _rest(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=120)[0].strip()
