"""Invariant 2: `kill -9` anywhere, and the next run makes it as if nothing had happened."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from flows.settings import load_settings
from flows.wiring import open_stores
from index.catalog import tables
from index.vectors import Record
from tests.changing_folder import ChangingFolder
from tests.fakes import DIMENSION, FakeEmbedder
from tests.memory import Memory, recall
from tests.victims import (
    STEPS,
    STEPS_OF_BUILDING,
    STEPS_OF_DROPPING,
    STEPS_OF_REPAIRING,
    Victims,
    some_moment,
)

pytestmark = [pytest.mark.timeout(600), pytest.mark.proof]

WORST = (
    "run started",
    "members given up",
    "intents written",
    "vectors written",
    "flipped",
    "changed vectors written",
    "about to delete",
    "failures about to be recorded",
    "retired",
    "run about to end",
)
"""Those after which most is half done; `benchmarks/kills.py` goes through all."""


@pytest.fixture(scope="module")
def victims(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    with Victims(tmp_path_factory.mktemp("answers")) as made:
        yield made


@pytest.fixture
def documents(folder: Path) -> ChangingFolder:
    return ChangingFolder(folder, random.Random(20261122))


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.wiring.Embedder", FakeEmbedder)


def remembered(state: Path) -> Memory:
    with open_stores(load_settings(state_dir=state)) as index:
        return recall(index)


def runs(state: Path) -> dict[str, str]:
    """By id, the state of each run, in order."""
    with open_stores(load_settings(state_dir=state)) as index:
        with index.catalog.reading() as connection:
            query = sa.select(tables.run.c.id, tables.run.c.state)
            return dict(connection.execute(query.order_by(tables.run.c.started_at)).all())


def ingest(victims: Victims, folder: Path, state: Path, **options: Any) -> Any:
    arguments = {"source": str(folder), "state": str(state), "allow_removal": True}
    return victims.work("ingest", **arguments, **options)


def test_killed_after_any_step_a_run_is_made_good_by_the_next(
    victims, documents, folder, state, tmp_path
):
    usual_s = ingest(victims, folder, state).seconds
    for name in WORST:
        documents.change()
        assert ingest(victims, folder, state, kill_at=STEPS[name]).killed, name
    documents.change()
    ingest(victims, folder, state, kill_after_s=some_moment(random.Random(), usual_s))
    documents.settle()
    report = ingest(victims, folder, state).answer
    assert report["balanced"]
    *killed, last = runs(state).items()
    assert last == (report["run_id"], "completed_with_errors")
    assert {how for _, how in killed[1:-2]} == {"interrupted"}
    if report["took_over"]:
        assert report["took_over"] == [killed[-1][0]]
    fresh = tmp_path / "fresh"
    ingest(victims, folder, fresh)
    assert remembered(state) == remembered(fresh)
    again = ingest(victims, folder, state).answer
    assert set(again["chunks"].values()) == {0}


def test_a_generation_whose_building_is_killed_ends_up_complete(
    victims, documents, folder, state, tmp_path
):
    ingest(victims, folder, state)
    config = tmp_path / "headwater.toml"
    config.write_text("[index]\nchunk_tokens = 32\n")
    for name, step in STEPS_OF_BUILDING.items():
        killed = victims.work("build", config=str(config), state=str(state), kill_at=step)
        assert killed.killed, name
    documents.change()
    documents.settle()
    assert ingest(victims, folder, state).answer["balanced"]
    generations = {metadata["generation"] for _, metadata, _ in remembered(state).chunks.values()}
    assert len(generations) == 2
    (dropped,) = generations - {live(state)}
    for name, step in STEPS_OF_DROPPING.items():
        work = victims.work("drop", generation=dropped, state=str(state), kill_at=step)
        assert work.killed, name
        assert victims.work("build", config=str(config), state=str(state)).answer
        documents.change()
        assert ingest(victims, folder, state).answer["balanced"], name
        assert {m["generation"] for _, m, _ in remembered(state).chunks.values()} == generations


def live(state: Path) -> str:
    with open_stores(load_settings(state_dir=state)) as index:
        return index.generation.id


def test_a_repair_that_is_killed_is_finished_by_the_next_run(victims, documents, folder, state):
    ingest(victims, folder, state)
    before = remembered(state)
    for name, step in STEPS_OF_REPAIRING.items():
        damage(state, name)
        assert victims.work("reconcile", state=str(state), kill_at=step).killed, name
        ingest(victims, folder, state)
        assert remembered(state) == before, name


def damage(state: Path, step: str) -> None:
    """Let the vector store lack some chunks and have others wrong: a repair will take the step."""
    with open_stores(load_settings(state_dir=state)) as index:
        collection, vectors = index.generation.collection, index.vectors
        first, second, *rest = sorted(vectors.contents(collection))
        held = vectors.load(collection, [first, second, *rest])
        if step == "collection dropped":
            vectors.drop(collection)
            vectors.upsert(collection, [Record(first, np.eye(3, dtype="f4")[0], "x", {"a": 1})])
            return
        wrong = np.eye(DIMENSION, dtype=np.float32)[0]
        vectors.delete(collection, rest[:2])
        hidden = held[second]
        vectors.upsert(collection, [Record(second, wrong, hidden.text, hidden.metadata)])
        if step == "orphans deleted":
            vectors.upsert(collection, [Record("stranger", wrong, "x", {"a": 1})])
