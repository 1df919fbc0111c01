"""Searching one source among several."""

from dataclasses import replace

import pytest

from index.catalog import runs
from index.identity import chunk_ids, document_id
from index.publishing import Index, Prepared
from index.search import search
from tests.index.conftest import NOW
from tests.index.test_publishing import RUN, prepared, put


def of_source(index: Index, source: str, n_documents: int) -> list[Prepared]:
    return [
        _moved(index, prepared(index, f"Words {number} of {source}.\n", f"{number}.md"), source)
        for number in range(n_documents)
    ]


def _moved(index: Index, one: Prepared, source: str) -> Prepared:
    document = document_id(source, one.seen.uri)
    texts = [chunk.chunk.text for chunk in one.chunks]
    ids = chunk_ids(document, index.generation.id, texts)
    return replace(
        one,
        seen=replace(one.seen, document_id=document, source=source),
        provenance=replace(one.provenance, document_id=document, source=source),
        chunks=tuple(
            replace(chunk, placement=replace(chunk.placement, chunk_id=chunk_id))
            for chunk, chunk_id in zip(one.chunks, ids, strict=True)
        ),
    )


@pytest.fixture
def sources(index):
    with index.catalog.writing() as connection:
        runs.start_run(connection, run_id=RUN, source="large", root="/", flow_run_id=None, now=NOW)
    put(index, *of_source(index, "large", 120), *of_source(index, "small", 5))
    return index


@pytest.fixture
def asked(sources, monkeypatch):
    """The sources that the vector store was asked for, None for all of them."""
    asked = []
    ask = sources.vectors.search

    def recorded(*arguments, source=None):
        asked.append(source)
        return ask(*arguments, source=source)

    monkeypatch.setattr(type(sources.vectors), "search", staticmethod(recorded))
    return asked


def test_a_search_in_one_source_finds_the_same_as_the_vector_store_does(sources):
    question = sources.embedder.embed_question("anything")
    for source in ("large", "small"):
        hits = sources.vectors.search(sources.generation.collection, question, 5, source=source)
        found = search(sources, "anything", 5, source=source)
        assert [one.placement.chunk_id for one in found] == [hit.chunk_id for hit in hits]
        assert {one.provenance.source for one in found} == {source}
        assert [one.rank for one in found] == [*range(1, len(hits) + 1)]


def test_a_source_of_few_chunks_is_found_among_many(sources, asked):
    assert len(search(sources, "anything", 5, source="small")) == 5
    assert asked == [None, "small"]


def test_a_source_of_many_chunks_is_not_listed_for_a_search(sources, asked):
    assert len(search(sources, "anything", 5, source="large")) == 5
    assert asked == [None]


def test_a_source_that_is_not_there_has_nothing(sources):
    assert search(sources, "anything", 5, source="other") == []
