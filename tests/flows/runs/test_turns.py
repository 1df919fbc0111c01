"""How many batches are embedded at the same time, by a real Prefect server."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from prefect import get_client
from prefect.concurrency.sync import concurrency

from flows.errors import Interrupted
from flows.runs.turns import LIMIT, set_limit, turn
from index.publishing import embed

pytestmark = pytest.mark.proof


class Crowd:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.n_inside = self.most = 0
        self._lock = threading.Lock()

    def inside(self, seconds: float) -> None:
        with self._lock:
            self.n_inside += 1
            self.most = max(self.most, self.n_inside)
        time.sleep(seconds)
        with self._lock:
            self.n_inside -= 1


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    """Of those who embed."""
    made = Crowd()

    def slowly(*arguments: Any) -> Any:
        made.inside(0.5)
        return embed(*arguments)

    monkeypatch.setattr("flows.runs.batch_work.embed", slowly)
    return made


def test_batches_of_a_run_take_turns_at_embedding(ingest, folder, crowd, monkeypatch):
    monkeypatch.setenv("HEADWATER_EMBED_AT_ONCE", "3")
    for number in range(100):
        (folder / f"{number}.md").write_text(f"# Page {number}\n\nWords.\n")
    assert ingest()["documents"]["indexed"] == 100
    assert crowd.most == 1
    with get_client(sync_client=True) as client:
        assert client.read_global_concurrency_limit_by_name(LIMIT).limit == 3


def test_the_turn_of_another_machine_is_waited_for_until_the_run_is_to_stop(prefect):
    set_limit(1)
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Interrupted

    with concurrency(LIMIT, strict=True), ThreadPoolExecutor(1) as others:
        waiting = others.submit(turn(1, check).__enter__)
        time.sleep(0.5)
        assert not waiting.done()
        stop.set()
        assert isinstance(waiting.exception(timeout=20), Interrupted)
    with turn(1, lambda: None):
        pass  # It is free again.


def test_a_turn_of_this_process_is_waited_for_until_the_run_is_to_stop(monkeypatch):
    monkeypatch.setattr("flows.runs.turns._PATIENCE_S", 0.1)

    def check() -> None:
        raise Interrupted

    with turn(None, check), ThreadPoolExecutor(1) as others:
        waiting = others.submit(turn(None, check).__enter__)
        assert isinstance(waiting.exception(timeout=5), Interrupted)
