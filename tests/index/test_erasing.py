"""Erasing: whatever is killed, and whenever, in the end nothing is left, on disk either."""

import json
from contextlib import suppress
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import sqlalchemy as sa

from index.catalog import erased, runs, tables
from index.catalog.database import Catalog
from index.catalog.embeddings import load_embeddings
from index.catalog.runs import DocumentOutcome, record_outcomes
from index.erasure import erasing
from index.erasure.erasing import clear, forget, remaining
from index.erasure.evidence import Evidence
from index.erasure.inspection import Trace, inspect
from index.erasure.rewriting import Stores
from index.errors import StoreUnavailable
from index.identity import document_id
from index.plan import ERASED, Outcome, rules
from index.publishing import retire
from index.search import search
from index.stores import Index
from index.vectors import Record
from tests.fakes import DIMENSION
from tests.index.conftest import NOW
from tests.index.test_publishing import RUN, Killed, assert_true, known, prepared, put

SHARED = "The cafeteria opens at eight and closes at six"
OLD_SECRET = "Jane Doe was on sick leave for all of November"
SECRET = "Jane Doe earns eighty thousand and wants more"
DEEP_SECRET = "A letter from Jane Doe to the works council"
OTHERS = "Nobody else knows what the printer does at night"
OLD = f"# One\n\n{SHARED}.\n\n# Two\n\n{OLD_SECRET}.\n"
NEW = f"# One\n\n{SHARED}.\n\n# Two\n\n{SECRET}.\n"
SECRETS = (OLD_SECRET, SECRET, DEEP_SECRET)


@pytest.fixture(autouse=True)
def filled(index: Index) -> None:
    """A document with a past and a member, and two others."""
    with index.catalog.writing() as connection:
        runs.start_run(connection, run_id=RUN, source="s", root="/s", flow_run_id=None, now=NOW)
    put(index, prepared(index, OLD))
    put(index, prepared(index, NEW))
    put(index, prepared(index, f"# Three\n\n{DEEP_SECRET}.\n", uri="a.md!/letter.md"))
    put(index, prepared(index, f"# One\n\n{SHARED}.\n\n# Four\n\n{OTHERS}.\n", uri="a.md.md"))
    put(index, prepared(index, f"# One\n\n{SHARED}.\n", uri="A.md!/letter.md"))


def stores_of(index: Index) -> Stores:
    return Stores(index.catalog, index.texts, index.vectors, (index.generation,))


@pytest.fixture
def stores(index: Index) -> Stores:
    return stores_of(index)


def erase(stores: Stores) -> tuple[erasing.Forgotten, erasing.Cleared]:
    forgotten = forget(stores, "s", "a.md", "somebody@here", NOW)
    return forgotten, clear(stores)


def evidence_against(stores: Stores) -> Evidence:
    """What there is to be found, taken before anything is removed, by removing it elsewhere."""
    documents = [document_id("s", uri) for uri in ("a.md", "a.md!/letter.md")]
    with suppress(ZeroDivisionError), stores.catalog.writing() as connection:
        erased.remove_rows(connection, documents)
        lost = list(connection.scalars(sa.select(tables.embedding.c.key)))
        used = {
            *connection.scalars(sa.select(tables.chunk.c.embedding_key)),
            *connection.scalars(sa.select(tables.past_chunk.c.embedding_key)),
        }
        vectors = load_embeddings(connection, [key for key in lost if key not in used])
        _ = 1 / 0
    return Evidence((), (), SECRETS, tuple(vectors.values()), 0, 0, ())


def traces(folder: Path, evidence: Evidence) -> dict[Trace, set[str]]:
    seen = inspect(folder, evidence)
    return {trace: set(seen.of(trace)) for trace in seen.traces}


def fill(index: Index) -> None:
    """Have Chroma write its vectors out, which it does every thousand."""
    vectors = np.random.default_rng(0).standard_normal((1_100, DIMENSION)).astype("f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    others = [Record(f"o{n}", one, "words", {"source": "s"}) for n, one in enumerate(vectors)]
    index.vectors.upsert(index.generation.collection, others)


def test_until_it_is_erased_it_is_found_on_disk_even_where_it_was_deleted(
    tmp_path, index, stores, database_kind
):
    evidence = evidence_against(stores)
    assert len(evidence.vectors) == 3
    fill(index)
    index.vectors.close()
    found = traces(tmp_path, evidence)
    assert {name.split("/")[0] for name in found[Trace.TEXT]} == {"chroma", "texts"}
    in_catalog = {"catalog.db-wal"} if database_kind == "sqlite" else set()
    assert {name.split("/")[0] for name in found[Trace.VECTOR]} == {"chroma", *in_catalog}
    retire(index, [known(prepared(index, NEW))], Outcome.REMOVED, RUN, NOW, source="s")
    index.vectors.close()
    after = inspect(tmp_path, evidence)
    assert any(name.endswith("data_level0.bin") for name in after.of(Trace.VECTOR))
    assert any(name.endswith("chroma.sqlite3") for name in after.of(Trace.TEXT))


def test_an_erased_document_is_nowhere(tmp_path, index, stores):
    evidence = evidence_against(stores)
    fill(index)
    forgotten, cleared = erase(stores)
    assert [one.uri for one in forgotten.documents] == ["a.md", "a.md!/letter.md"]
    assert forgotten.rows["version"] == 3
    assert forgotten.rows["past_chunk"] == 2
    assert cleared.n_vectors == 3
    assert remaining(stores, forgotten, cleared) == 0
    index.vectors.close()
    assert traces(tmp_path, evidence) == {}
    assert traces(tmp_path, cleared.evidence) == {}


def test_the_evidence_is_what_no_other_document_has(stores):
    _, cleared = erase(stores)
    words = " ".join(cleared.evidence.words)
    assert all(secret in words for secret in SECRETS)
    assert SHARED not in words
    assert cleared.evidence.n_words_shared == 1
    assert len(cleared.evidence.vectors) == 3
    assert {one.uri for one in cleared.sharing} == {"a.md.md", "A.md!/letter.md"}


def test_others_stay_searchable(index, stores):
    erase(stores)
    assert_true(index)
    found = search(index, f"One {SHARED}.", 10)
    assert {result.provenance.uri for result in found} == {"a.md.md", "A.md!/letter.md"}


def test_another_document_with_the_same_bytes_is_named_and_kept(index, stores):
    put(index, prepared(index, NEW, uri="copy.md"))
    forgotten, cleared = erase(stores)
    assert [one.uri for one in forgotten.same_bytes] == ["copy.md"]
    assert not any(SECRET in words for words in cleared.evidence.words)
    assert search(index, f"Two {SECRET}.", 1)[0].provenance.uri == "copy.md"


def test_what_killed_runs_and_rejected_versions_have_left_goes_too(tmp_path, index, stores):
    left = prepared(index, f"# Five\n\n{SECRET} than that.\n", uri="rejected.md")
    (tmp_path / "texts" / left.text_key[:2] / "tmp1.part").write_bytes(SECRET.encode())
    _, cleared = erase(stores)
    assert left.text_key in cleared.evidence.text_keys
    index.vectors.close()
    assert not inspect(tmp_path, cleared.evidence).of(Trace.TEXT)
    assert not list(tmp_path.rglob("*.part"))


def test_erasing_twice_removes_nothing_more(index, stores):
    erase(stores)
    forgotten, cleared = erase(stores)
    assert forgotten.documents == ()
    assert not forgotten.rows
    assert cleared.evidence.text_keys == cleared.evidence.embedding_keys == ()
    assert_true(index)


def test_outcomes_and_whatever_else_names_the_document_goes(stores):
    gone = document_id("s", "a.md")
    with stores.catalog.writing() as connection:
        noted = DocumentOutcome(gone, "a.md", Outcome.QUARANTINED, detail="page 1")
        record_outcomes(connection, RUN, [noted])
    erase(stores)
    with stores.catalog.reading() as connection:
        for table in tables.metadata.sorted_tables:
            rows = [] if table is tables.erased else connection.execute(sa.select(table)).all()
            assert gone not in json.dumps([list(map(str, row)) for row in rows]), table.name


def test_chunks_whose_text_or_embedding_is_lost_are_taken_over(index, stores):
    kept = prepared(index, f"# One\n\n{SHARED}.\n", uri="A.md!/letter.md")
    before = index.vectors.load_vectors("headwater-test", [kept.chunks[0].placement.chunk_id])
    index.texts.remove(kept.text_key)
    with stores.catalog.writing() as connection:
        connection.execute(sa.delete(tables.embedding))
    _, cleared = erase(stores)
    assert cleared.rewritten is not None
    assert (cleared.rewritten.n_chunks, cleared.rewritten.n_lost) == (3, 0)
    after = index.vectors.load_vectors("headwater-test", list(before))
    for chunk_id, vector in before.items():
        assert after[chunk_id] == pytest.approx(vector, abs=1e-6)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_catalog_that_somebody_reads_is_not_said_to_be_compact(tmp_path, stores):
    impatient = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}", timeout_s=0.2)
    with stores.catalog.reading() as connection:
        connection.execute(sa.select(tables.run)).all()
        with pytest.raises(StoreUnavailable, match="another process reads"):
            impatient.compact()
    impatient.compact()
    impatient.close()


STEPS = (
    "index.vectors.VectorStore.delete",
    "index.erasure.erasing.gather",
    "index.erasure.rewriting._write",
    "index.chroma.client.ChromaFolder.swap",
    "index.erasure.erasing.clean_embeddings",
    "index.catalog.database.Catalog.compact",
    "index.texts.TextStore.remove",
)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_is_finished_by_erasing_again(
    tmp_path, index, stores, monkeypatch, step, after
):
    evidence = evidence_against(stores)
    with monkeypatch.context() as faulty:
        faulty.setattr(step, failing(step, after=after))
        with pytest.raises(Killed):
            erase(stores)
    assert_gone_after_erasing_again(tmp_path, index, evidence)


@pytest.mark.parametrize("n_commits", range(4))
def test_a_kill_between_any_two_commits_is_finished_by_erasing_again(
    tmp_path, index, stores, monkeypatch, n_commits
):
    evidence = evidence_against(stores)
    left, real = [n_commits], index.catalog.writing

    def writing():
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return real()

    with monkeypatch.context() as faulty:
        faulty.setattr(index.catalog, "writing", writing)
        with suppress(Killed):
            erase(stores)
    if n_commits:
        assert not any("Jane Doe" in result.text for result in search(index, "Jane", 10))
    assert_gone_after_erasing_again(tmp_path, index, evidence)


def failing(name: str, *, after: bool):
    call = resolve_name(name)

    def fail(*arguments, **options):
        if after:
            call(*arguments, **options)
        raise Killed

    return fail


def assert_gone_after_erasing_again(folder: Path, index: Index, evidence: Evidence) -> None:
    index.vectors.close()
    erase(stores_of(index))
    assert_true(index)
    index.vectors.close()
    assert traces(folder, evidence) == {}


def test_an_erased_document_is_excluded_until_it_is_allowed(stores):
    erase(stores)
    with stores.catalog.reading() as connection:
        away = erased.erased_uris(connection, "s")
        assert erased.erased_uris(connection, "other") == frozenset()
    rule_against = rules(("**/*",), (), away)
    assert rule_against("a.md") == rule_against("a.md!/b.zip!/c") == ERASED
    assert rule_against("A.md") == rule_against("a.md.md") == ""
    with stores.catalog.writing() as connection:
        assert erased.allow(connection, "s", "a.md")
        assert not erased.allow(connection, "s", "a.md")
        assert erased.erased_uris(connection, "s") == frozenset()
