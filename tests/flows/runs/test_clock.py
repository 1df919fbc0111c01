"""The stage clock and the lease."""

import threading
import time

import pytest

from flows.runs.clock import StageClock


def test_stages_and_other_add_up_to_the_total_although_they_overlap():
    clock = StageClock()

    def work(name: str) -> None:
        with clock.stage(name):
            time.sleep(0.1)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.05)
    seconds = clock.seconds()
    stages = seconds["a"] + seconds["b"]
    assert seconds["total"] == pytest.approx(stages + seconds["other"])
    assert 0.09 < stages < 0.2
    assert seconds["a"] > seconds["b"]
    assert seconds["other"] >= 0.05
