"""Runs that read no more than they may, and what is said of the rest."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checks.freshness import FreshnessState
from flows.freshness.status import SourceStatus, all_statuses
from flows.settings import load_settings
from flows.wiring import open_catalog, open_stores
from index.catalog.documents import find_by_uri, versions_of
from tests.flows.conftest import Ingest

pytestmark = pytest.mark.proof

HOUR = 3600


@pytest.fixture
def config(configure: Any) -> Path:
    made: Path = configure("max_documents_per_run = 3")
    return made


@pytest.fixture
def run(ingest: Ingest, config: Path) -> Any:
    return lambda: ingest("handbook", config=str(config))


def write(folder: Path, n: int, words: str = "Words", *, hours_ago: float = 0) -> None:
    for number in range(n):
        file = folder / f"{number}.md"
        file.write_text(f"# Page {number}\n\n{words} of page {number}.\n")
        when = time.time() - hours_ago * HOUR
        os.utime(file, (when, when))


def status(config: Path, state: Path, now: datetime | None = None) -> SourceStatus:
    settings = load_settings(config, state)
    with open_catalog(settings) as catalog:
        (found,) = all_statuses(settings, catalog, now)
    return found


def shown(config: Path, state: Path, uri: str) -> str:
    """What a search finds of a document."""
    with open_stores(load_settings(config, state)) as index, index.catalog.reading() as connection:
        (document,) = find_by_uri(connection, uri)
        current = versions_of(connection, document["id"])[-1]
    found = index.texts.get(current["text_key"])
    assert found is not None
    return found.text


def test_runs_go_on_where_the_last_one_had_no_more_room(run, folder, config, state):
    write(folder, 7)
    counts = [
        {name: n for name, n in report["documents"].items() if n}
        for report in (run(), run(), run())
        if report["balanced"] and report["state"] == "completed"
    ]
    assert counts[0] == {"found": 7, "indexed": 3, "left": 4}
    # What was read within seconds of being written is to be read once more, after all others.
    assert [count["indexed"] for count in counts] == [3, 3, 1]
    assert status(config, state).documents == {"indexed": 7}


def test_a_source_is_as_old_as_the_oldest_change_that_is_left(run, folder, config, state):
    followed_since = datetime.now(UTC)
    write(folder, 5, hours_ago=9)
    run()
    left = status(config, state).freshness
    assert left.n_left == left.as_json()["left_documents"] == 2
    # What was there before it was followed waits since then.
    assert left.clocks.oldest_change_waiting >= followed_since
    later = datetime.fromtimestamp(time.time() + 3 * HOUR, UTC)
    assert status(config, state, later).state is FreshnessState.WARNING
    while status(config, state).freshness.n_left:
        run()
    assert status(config, state).freshness.clocks.oldest_change_waiting is None


def test_a_changed_document_that_is_left_is_what_it_was(run, folder, config, state):
    write(folder, 3, hours_ago=9)
    run()
    write(folder, 5, "Other words", hours_ago=1)
    (folder / "0.md").write_text("Changed last.")
    (folder / "1.md").unlink()
    counts = {name: n for name, n in run()["documents"].items() if n}
    assert counts == {"found": 4, "indexed": 3, "left": 1, "removed": 1}
    assert shown(config, state, "0.md").startswith("# Page 0\n\nWords")
    run()
    assert shown(config, state, "0.md") == "Changed last."
