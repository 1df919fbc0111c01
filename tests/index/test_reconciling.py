"""Reconciling: every way in which the stores can differ is found, and mended without parsing."""

from collections.abc import Callable

import numpy as np
import pytest
import sqlalchemy as sa

from index import vectors
from index.catalog import chunks as chunk_rows
from index.catalog import tables
from index.catalog.runs import start_run
from index.contents import ReadBy
from index.converging import recover
from index.errors import StoreDamaged
from index.reconciling import Fault, Reconciliation, reconcile, stray_collections
from index.stores import Index
from index.vectors import Record, Stored
from tests.fakes import DIMENSION
from tests.index.conftest import NOW
from tests.index.test_publishing import NEW, OLD, RUN, assert_true, prepared, put


@pytest.fixture(autouse=True, params=ReadBy)
def read_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ReadBy:
    """Everything holds for both; Chroma's client stands in where its file is of another format."""
    if request.param is ReadBy.CLIENT:
        monkeypatch.setattr("index.chroma.file.MIGRATIONS", {"sysdb": 11})
    return request.param


@pytest.fixture(autouse=True)
def documents(index: Index) -> None:
    with index.catalog.writing() as connection:
        start_run(connection, run_id=RUN, source="s", root="/s", flow_run_id=None, now=NOW)
    put(index, prepared(index, OLD), prepared(index, NEW, uri="b.md"))


def check(index: Index, *, repair: bool = False, n_probes: int = 10) -> Reconciliation:
    return reconcile(index, index.targets[0], NOW, repair=repair, n_probes=n_probes)


def some_ids(index: Index, n: int) -> list[str]:
    return sorted(index.vectors.contents(index.generation.collection))[:n]


def stored(index: Index, chunk_id: str) -> Stored:
    return index.vectors.load(index.generation.collection, [chunk_id])[chunk_id]


def lose(index: Index) -> None:
    index.vectors.delete(index.generation.collection, some_ids(index, 2))


def orphan(index: Index) -> None:
    vector = np.eye(DIMENSION, dtype=np.float32)[0]
    strangers = [Record(f"stranger{n}", vector, "words", {"source": "s"}) for n in range(3)]
    index.vectors.upsert(index.generation.collection, strangers)


def make_stale(index: Index) -> None:
    (chunk_id,) = some_ids(index, 1)
    old = Stored("outdated words", stored(index, chunk_id).metadata)
    index.vectors.refresh(index.generation.collection, {chunk_id: old})


def mislabel(index: Index) -> None:
    (chunk_id,) = some_ids(index, 1)
    held = stored(index, chunk_id)
    wrong = Stored(held.text, {**held.metadata, "uri": "elsewhere.md", "left_over": 1})
    index.vectors.refresh(index.generation.collection, {chunk_id: wrong})


def replace_vectors(index: Index) -> None:
    """By those of another model, of another dimension."""
    collection = index.generation.collection
    ids = some_ids(index, 10)
    held = index.vectors.load(collection, ids)
    index.vectors.drop(collection)
    vector = np.ones(3, np.float32) / np.sqrt(3, dtype=np.float32)
    records = [Record(k, vector, held[k].text, held[k].metadata) for k in ids]
    index.vectors.upsert(collection, records)


def hide(index: Index) -> None:
    """Give a chunk the vector of something else: a search for its own does not find it."""
    (chunk_id,) = some_ids(index, 1)
    held = stored(index, chunk_id)
    vector = np.eye(DIMENSION, dtype=np.float32)[0]
    wrong = [Record(chunk_id, vector, held.text, held.metadata)]
    index.vectors.upsert(index.generation.collection, wrong)


BREAKAGES = {
    Fault.MISSING: (lose, 2),
    Fault.ORPHANED: (orphan, 3),
    Fault.STALE: (make_stale, 1),
    Fault.WRONG_METADATA: (mislabel, 1),
    Fault.UNFINDABLE: (hide, 1),
}


def test_stores_that_agree_are_left_alone(index, read_by):
    report = check(index, repair=True)
    assert (report.agrees, report.n_chunks, report.n_probed, report.n_repaired) == (True, 6, 6, 0)
    assert report.read_by == read_by


@pytest.mark.parametrize("fault", BREAKAGES)
def test_what_differs_is_found_and_mended(index, fault):
    break_it, n = BREAKAGES[fault]
    break_it(index)
    found = check(index)
    assert found.faults == {fault: n}
    assert len(found.examples[fault]) == n
    n_embedded = index.embedder.n_embedded
    assert check(index, repair=True).n_repaired == n
    assert index.embedder.n_embedded == n_embedded
    assert check(index).agrees
    assert_true(index)


def test_vectors_of_another_dimension_are_all_made_again(index):
    replace_vectors(index)
    assert check(index, n_probes=0).faults[Fault.WRONG_DIMENSION] == 6
    check(index, repair=True)
    assert check(index).agrees
    assert index.vectors.dimension(index.generation.collection) == DIMENSION


@pytest.fixture
def torn(index, tmp_path, monkeypatch) -> Index:
    """Killed while Chroma wrote its search index over the old one."""
    often = {"sync_threshold": 5, "batch_size": 3}
    monkeypatch.setattr("index.vectors._HNSW", {**vectors._HNSW, **often})
    index.vectors.drop(index.generation.collection)
    put(index, *(prepared(index, f"# {n}\n\n{OLD}", uri=f"{n}.md") for n in range(10)))
    index.vectors.close()
    (file,) = (tmp_path / "chroma").glob("*/index_metadata.pickle")
    file.write_bytes(file.read_bytes()[:-20])
    return index


def finds(index: Index) -> int:
    vector = np.eye(DIMENSION, dtype=np.float32)[0]
    return len(index.vectors.search(index.generation.collection, vector, 100))


def test_a_torn_search_index_is_made_anew(torn):
    with pytest.raises(StoreDamaged) as raised:
        finds(torn)
    assert "reconcile --repair" in raised.value.remedy
    n_embedded = torn.embedder.n_embedded
    assert check(torn, repair=True).n_repaired > 0
    assert torn.embedder.n_embedded == n_embedded
    assert check(torn).agrees
    assert finds(torn) == check(torn).n_chunks


def test_what_a_run_has_begun_has_a_torn_search_index_made_anew(torn):
    begun = dict.fromkeys(some_known(torn, 3), torn.generation.id)
    with torn.catalog.writing() as connection:
        chunk_rows.add_intents(connection, "s", begun)
    with pytest.raises(StoreDamaged):
        recover(torn, "s")
    recover(torn)
    assert check(torn).agrees
    assert finds(torn) == check(torn).n_chunks


def some_known(index: Index, n: int) -> list[str]:
    with index.catalog.reading() as connection:
        return list(connection.scalars(sa.select(tables.chunk.c.id).limit(n)))


def test_chroma_is_not_opened_where_there_is_nothing_to_mend(index, read_by, monkeypatch):
    if read_by is ReadBy.CLIENT:
        pytest.skip("it is what the collection is read by")
    index.vectors.close()
    monkeypatch.setattr(index.vectors, "_open", _fail)
    assert check(index, repair=True, n_probes=0).agrees
    assert stray_collections(index) == []


def test_chunks_of_a_large_collection_are_searched_for_only_when_asked(index, read_by, monkeypatch):
    small = check(index, n_probes=None)
    assert (small.n_probed, small.why_not_probed) == (6, None)
    monkeypatch.setattr("index.reconciling._ROOM", 1_000)
    large = check(index, n_probes=None)
    if read_by is ReadBy.CLIENT:  # Then they are in memory anyway.
        assert (large.n_probed, large.why_not_probed) == (6, None)
        return
    assert large.n_probed == 0
    assert "--probes" in str(large.as_json()["why_not_probed"])
    assert check(index, n_probes=4).n_probed == 4


def test_finding_changes_nothing(index):
    lose(index)
    before = index.vectors.contents(index.generation.collection)
    check(index)
    assert index.vectors.contents(index.generation.collection) == before


def test_an_embedding_that_the_cache_lost_is_made_again(index):
    lose(index)
    with index.catalog.writing() as connection:
        connection.execute(sa.delete(tables.embedding))
    check(index, repair=True)
    assert check(index).agrees


def test_a_document_whose_text_is_lost_is_withdrawn_until_it_is_read_again(index, tmp_path):
    for file in (tmp_path / "texts").rglob("*.zst"):
        file.unlink()
    report = check(index, repair=True)
    assert report.lost == ["a.md", "b.md"] or report.lost == ["b.md", "a.md"]
    assert check(index).agrees
    assert index.vectors.contents(index.generation.collection) == {}
    with index.catalog.reading() as connection:
        keys = set(connection.scalars(sa.select(tables.document.c.parser_key)))
    assert keys == {""}
    put(index, prepared(index, OLD))
    assert_true(index)


def test_many_chunks_are_read_in_pages(index, monkeypatch):
    monkeypatch.setattr("index.reconciling._PAGE", 2)
    monkeypatch.setattr("index.vectors._IDS", 2)
    monkeypatch.setattr("index.chroma.file.MAX_ITEMS", 2)
    orphan(index)
    lose(index)
    report = check(index, repair=True)
    assert (report.n_chunks, report.n_repaired) == (6, 5)
    assert check(index).agrees


def test_a_failure_in_the_middle_is_made_good_by_the_next(index, monkeypatch):
    lose(index)
    orphan(index)
    with monkeypatch.context() as faulty:
        faulty.setattr(index.vectors, "upsert", _fail)
        with pytest.raises(OSError, match="gone"):
            check(index, repair=True)
    check(index, repair=True)
    assert check(index).agrees


def _fail(*arguments: object) -> Callable[..., None]:
    raise OSError("gone")
