"""How many batches are embedded at the same time, by a real Prefect server."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flows.errors import Interrupted
from flows.runs.turns import set_limit, turn
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


@pytest.mark.parametrize(("at_once", "most"), [("", 2), ("1", 1)])
def test_batches_of_a_run_take_turns_at_embedding_if_it_is_asked(
    ingest, folder, crowd, monkeypatch, at_once, most
):
    if at_once:
        monkeypatch.setenv("HEADWATER_EMBED_AT_ONCE", at_once)
    for number in range(100):
        (folder / f"{number}.md").write_text(f"# Page {number}\n\nWords.\n")
    assert ingest()["documents"]["indexed"] == 100
    assert crowd.most == most


def test_whoever_waits_for_a_turn_can_be_stopped(prefect):
    set_limit(1)
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Interrupted

    with turn(1, check), ThreadPoolExecutor(1) as others:
        waiting = others.submit(turn(1, check).__enter__)
        time.sleep(0.5)
        assert not waiting.done()
        stop.set()
        assert isinstance(waiting.exception(timeout=20), Interrupted)
