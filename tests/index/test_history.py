"""What was searchable when, and how long that is remembered."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from index.catalog import generations as generation_rows
from index.catalog import tables
from index.catalog.chunks import history_of
from index.catalog.runs import start_run
from index.history import search_as_of
from index.plan import Outcome
from index.publishing import embed, publish, retire
from index.retention import clean
from index.search import Result, search
from index.stores import Index
from tests.index.conftest import NOW
from tests.index.test_publishing import NEW, OLD, RUN, known, prepared

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def run(index: Index) -> None:
    with index.catalog.writing() as connection:
        start_run(connection, run_id=RUN, source="s", root="/s", flow_run_id=None, now=NOW)
        generation_rows.add_generation(connection, index.generation, NOW - HOUR)


def put_at(index: Index, moment: datetime, text: str, uri: str = "a.md") -> None:
    document = prepared(index, text, uri=uri).as_of(moment)
    vectors, _ = embed(index, [document])
    publish(index, [document], vectors, moment)


def then(index: Index, moment: datetime, k: int = 10, source: str | None = None) -> list[Result]:
    vector = index.embedder.embed_question("First words.")
    generation = index.generation.id
    return search_as_of(
        index.catalog, index.texts, vector, k, moment, generation=generation, source=source
    )


def words(results: list[Result]) -> list[str]:
    return sorted(result.text.splitlines()[-1] for result in results)


def test_a_search_finds_what_was_searchable_then(index):
    put_at(index, NOW, OLD)
    put_at(index, NOW + HOUR, NEW)
    retire(index, [known(prepared(index, NEW))], Outcome.REMOVED, RUN, NOW + 2 * HOUR, source="s")
    assert then(index, NOW - HOUR) == []
    assert words(then(index, NOW)) == ["First words.", "Second words.", "Third words."]
    assert words(then(index, NOW + HOUR)) == [
        "First words.", "Fourth words.", "Second words, changed.",
    ]  # fmt: skip
    assert then(index, NOW + 2 * HOUR) == []


def test_now_it_finds_what_the_vector_store_finds_in_the_same_order(index):
    put_at(index, NOW, OLD)
    put_at(index, NOW, NEW, uri="b.md")
    exact = then(index, NOW, k=4, source="s")
    assert then(index, NOW, source="another") == []
    found = search(index, "First words.", 4, source="s")
    assert [one.score for one in exact] == pytest.approx([one.score for one in found], abs=1e-4)
    assert {one.placement.chunk_id for one in exact} == {one.placement.chunk_id for one in found}
    assert [one.rank for one in exact] == [1, 2, 3, 4]


def test_all_pages_are_looked_at(index, monkeypatch):
    monkeypatch.setattr("index.history._PAGE", 2)
    put_at(index, NOW, OLD)
    put_at(index, NOW + HOUR, NEW)
    assert len(then(index, NOW)) == len(then(index, NOW + HOUR)) == 3


def test_a_chunk_knows_all_versions_that_had_it(index):
    put_at(index, NOW, OLD)
    put_at(index, NOW + HOUR, NEW)
    (first,) = [one for one in then(index, NOW) if one.text.endswith("First words.")]
    (third,) = [one for one in then(index, NOW) if one.text.endswith("Third words.")]
    with index.catalog.reading() as connection:
        stays = history_of(connection, first.placement.chunk_id)
        (gone,) = history_of(connection, third.placement.chunk_id)
    spans = [(held.provenance.indexed_at, held.retired_at) for held in stays]
    assert spans == [(NOW, NOW + HOUR), (NOW + HOUR, None)]
    assert gone.retired_at == NOW + HOUR


def test_the_past_is_forgotten_with_all_that_only_it_needed(index, tmp_path):
    put_at(index, NOW, OLD)
    put_at(index, NOW + HOUR, NEW)
    retire(index, [known(prepared(index, NEW))], Outcome.REMOVED, RUN, NOW + 2 * HOUR, source="s")
    put_at(index, NOW + HOUR, OLD, uri="kept.md")
    kept = clean(index.catalog, index.texts, NOW, NOW)
    assert (kept.versions, kept.documents, kept.embeddings, kept.texts) == (0, 0, 0, 0)
    first = clean(index.catalog, index.texts, NOW + HOUR + timedelta(seconds=1), NOW)
    assert (first.versions, first.documents) == (1, 0)
    assert words(then(index, NOW + HOUR)) != []
    second = clean(index.catalog, index.texts, NOW + 3 * HOUR, NOW)
    assert (second.versions, second.documents, second.embeddings, second.texts) == (1, 1, 2, 1)
    assert words(then(index, NOW + 3 * HOUR)) == ["First words.", "Second words.", "Third words."]
    with index.catalog.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.past_chunk)) == 0
        assert list(connection.scalars(sa.select(tables.document.c.uri))) == ["kept.md"]


def test_what_is_searchable_is_never_forgotten(index):
    put_at(index, NOW, OLD)
    cleaned = clean(index.catalog, index.texts, NOW + timedelta(days=1000), NOW)
    assert (cleaned.versions, cleaned.embeddings, cleaned.texts) == (0, 0, 0)
    assert len(search(index, "First words.", 5)) == 3
