"""One writer at a time, and whoever waits is told for whom."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.errors import LeaseHeld
from flows.runs.lease import index_lease, source_lease
from flows.settings import Settings, load_settings
from flows.wiring import make_state_dir, open_catalog
from index.catalog.database import Catalog

HOLDER = """
import pathlib, sys, time
from flows.runs.lease import source_lease
from flows.settings import load_settings
from flows.wiring import open_catalog
settings = load_settings(state_dir=pathlib.Path(sys.argv[1]))
with open_catalog(settings) as catalog, source_lease(settings, catalog, "handbook"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings(state_dir=tmp_path / "state")
    make_state_dir(settings)
    return settings


@pytest.fixture
def catalog(settings: Settings) -> Iterator[Catalog]:
    with open_catalog(settings) as catalog:
        yield catalog


@pytest.fixture
def holder(settings: Settings, catalog: Catalog) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(settings.state_dir)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_told_who_the_first_is(settings, catalog):
    with (
        source_lease(settings, catalog, "a"),
        pytest.raises(LeaseHeld, match=r"process \d+ on .*--wait"),
        source_lease(settings, catalog, "b"),
    ):
        pass
    with index_lease(settings, catalog):
        pass


def test_a_killed_holder_leaves_no_lease_behind(settings, catalog, holder):
    with pytest.raises(LeaseHeld, match=str(holder.pid)), index_lease(settings, catalog):
        pass
    written = json.loads((settings.state_dir / "lease").read_text())
    assert written["pid"] == str(holder.pid)
    assert set(written) == {"pid", "host", "since"}
    holder.kill()
    holder.wait()
    with index_lease(settings, catalog):
        pass


def test_a_second_writer_can_wait(settings, catalog, holder):
    threading.Timer(0.5, holder.kill).start()
    began = time.monotonic()
    with source_lease(settings, catalog, "handbook", wait_s=10):
        assert 0.3 < time.monotonic() - began < 5


def test_waiting_ends(settings, catalog, holder):
    began = time.monotonic()
    with (
        pytest.raises(LeaseHeld),
        source_lease(settings, catalog, "handbook", wait_s=0.5),
    ):
        pass
    assert 0.4 < time.monotonic() - began < 5
