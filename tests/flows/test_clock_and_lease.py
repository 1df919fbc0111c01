"""The stage clock and the lease."""

import subprocess
import sys
import threading
import time

import pytest

from flows.clock import StageClock
from flows.errors import LeaseHeld
from flows.lease import write_lease


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


def test_a_second_writer_is_told_who_the_first_is(tmp_path):
    with write_lease(tmp_path), pytest.raises(LeaseHeld, match=r"process \d+ on "):
        with write_lease(tmp_path):
            pass
    with write_lease(tmp_path):
        pass


def test_a_killed_holder_leaves_no_lease_behind(tmp_path):
    code = (
        "import pathlib, sys, time\n"
        "from flows.lease import write_lease\n"
        "with write_lease(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "held"
    with pytest.raises(LeaseHeld, match=str(holder.pid)), write_lease(tmp_path):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with write_lease(tmp_path):
        pass
