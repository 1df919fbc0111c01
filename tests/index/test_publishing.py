"""Publishing: whatever fails, and whenever, the vector store ends up as the catalog says."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from index.building import build
from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog import runs
from index.catalog.documents import Seen
from index.converging import recover
from index.errors import StoreUnavailable
from index.identity import document_id
from index.plan import Known, Outcome
from index.publishing import Prepared, Written, embed, publish, retire
from index.reconciling import reconcile
from index.records import Provenance, chunk_metadata
from index.search import search
from index.stores import Index
from index.targets import identify
from parsers.contract import ParseOptions, ParseTask
from parsers.media_type import MARKDOWN
from parsers.web import markdown
from tests.fakes import all_valid
from tests.index.conftest import NOW
from tests.memory import recall

RUN = "r" * 32
OLD = "# One\n\nFirst words.\n\n# Two\n\nSecond words.\n\n# Three\n\nThird words.\n"
NEW = "# One\n\nFirst words.\n\n# Two\n\nSecond words, changed.\n\n# Four\n\nFourth words.\n"


def prepared(index: Index, text: str, uri: str = "a.md", title: str = "") -> Prepared:
    parsed = markdown.parse(ParseTask(text.encode(), MARKDOWN, ParseOptions()))
    parsed = replace(parsed, title=title)
    sha256 = f"{abs(hash((text, title))):064x}"[:64]
    document = document_id("s", uri)
    seen = Seen(document, "s", uri, "t", True, 1, NOW - timedelta(hours=1), sha256, MARKDOWN, "p")
    index.texts.put(sha256, parsed)
    return Prepared(
        seen=seen,
        provenance=Provenance(
            document, "s", uri, sha256, MARKDOWN, "markdown", "1", title, "en",
            RUN, seen.source_modified_at, NOW,
        ),
        text_key=sha256,
        outcome=Outcome.INDEXED,
        problems=(),
        chunks=tuple(
            one for target in index.targets for one in identify(target, document, parsed)
        ),
    )  # fmt: skip


def put(index: Index, *documents: Prepared) -> Written:
    vectors, cost = embed(index, documents)
    return cost + publish(index, documents, vectors, NOW)


def state(index: Index) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """What the vector store has, what the catalog says that it should, and open intents."""
    with index.catalog.reading() as connection:
        live = chunk_rows.page_of_chunks(connection, index.generation.id, chunk_rows.FIRST, 1_000)
        intents = chunk_rows.open_intents(connection)
    meant = {one.placement.chunk_id: chunk_metadata(one.provenance, one.placement) for one in live}
    return index.vectors.contents(index.generation.collection), meant, intents


def assert_true(index: Index) -> None:
    has, meant, intents = state(index)
    assert has == meant
    assert intents == {}


@pytest.fixture(autouse=True)
def run(index: Index) -> None:
    with index.catalog.writing() as connection:
        runs.start_run(connection, run_id=RUN, source="s", root="/s", flow_run_id=None, now=NOW)


def known(prepared: Prepared) -> Known:
    return Known(
        prepared.seen.document_id, prepared.seen.uri, Outcome.INDEXED, "t", True, "x", 1,
        MARKDOWN, "p", True, None,
    )  # fmt: skip


def test_a_new_document_is_searchable(index):
    cost = put(index, prepared(index, OLD))
    assert (cost.embedded, cost.written, cost.updated, cost.deleted) == (3, 3, 0, 0)
    assert_true(index)
    best = search(index, "One First words.", 1)
    assert len(best) == 1


def test_a_changed_document_writes_only_what_is_new(index):
    put(index, prepared(index, OLD))
    cost = put(index, prepared(index, NEW))
    assert (cost.embedded, cost.written, cost.updated, cost.deleted) == (2, 2, 1, 2)
    assert_true(index)


def test_publishing_twice_embeds_and_writes_nothing(index):
    put(index, prepared(index, OLD))
    cost = put(index, prepared(index, OLD))
    assert (cost.embedded, cost.written, cost.deleted) == (0, 0, 0)
    assert_true(index)


def test_a_new_title_gives_chunks_that_stay_a_new_vector(index):
    put(index, prepared(index, OLD))
    cost = put(index, prepared(index, OLD, title="House rules"))
    assert (cost.embedded, cost.written, cost.updated) == (3, 3, 0)
    assert_true(index)
    vectors, _ = embed(index, [prepared(index, OLD, title="House rules")])
    first = prepared(index, OLD, title="House rules").chunks[0].placement
    (hit, *_) = index.vectors.search(index.generation.collection, vectors[first.embedding_key], 3)
    assert hit.chunk_id == first.chunk_id
    assert hit.score == pytest.approx(1, abs=1e-4)


def test_two_documents_with_one_text_keep_a_chunk_each_and_share_the_embedding(index):
    cost = put(index, prepared(index, OLD), prepared(index, OLD, uri="b.md"))
    assert (cost.embedded, cost.reused, cost.written) == (3, 3, 6)
    assert_true(index)


def test_a_text_that_two_embed_at_once_has_one_embedding_for_both(index, monkeypatch):
    """What it is embedded along with changes the last digits of its vector."""
    first, second = prepared(index, OLD), prepared(index, OLD, uri="b.md")
    real = index.embedder.embed

    def after_another(texts: Sequence[str], report: Callable[[int], None]) -> Any:
        monkeypatch.setattr(index.embedder, "embed", real)
        put(index, second)
        return -real(texts, report)

    monkeypatch.setattr(index.embedder, "embed", after_another)
    put(index, first)
    recall(index)


def test_a_retired_document_is_gone_from_the_search(index):
    one, other = prepared(index, OLD), prepared(index, OLD, uri="b.md")
    put(index, one, other)
    cost = retire(index, [known(one)], Outcome.REMOVED, RUN, NOW, source="s")
    assert cost.deleted == 3
    assert_true(index)
    assert {r.provenance.uri for r in search(index, "First words.", 10)} == {"b.md"}


def test_the_old_version_is_found_until_the_new_one_is_current(index, monkeypatch):
    put(index, prepared(index, OLD))
    found: list[set[str]] = []
    real = index.vectors.upsert

    def upsert(collection: str, records: Any) -> None:
        real(collection, records)
        found.append({result.text for result in search(index, "words", 10)})

    monkeypatch.setattr(index.vectors, "upsert", upsert)
    put(index, prepared(index, NEW))
    assert any("Third words." in text for text in found[0])
    assert not any("Fourth words." in text for text in found[0])


def test_vectors_that_are_not_there_after_writing_are_not_recorded_as_done(index, monkeypatch):
    monkeypatch.setattr(index.vectors, "upsert", lambda collection, records: None)
    with pytest.raises(StoreUnavailable, match="not there after"):
        put(index, prepared(index, OLD))
    with index.catalog.reading() as connection:
        assert document_rows.find_by_uri(connection, "a.md") == []


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


STEPS = ("upsert", "missing", "refresh", "delete")


@pytest.mark.parametrize("error", [Killed, StoreUnavailable])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("change", ["add", "update", "remove"])
def test_a_failure_at_any_store_call_is_made_good(index, monkeypatch, change, step, after, error):
    if change != "add":
        put(index, prepared(index, OLD))
    act: dict[str, Callable[[], object]] = {
        "add": lambda: put(index, prepared(index, OLD)),
        "update": lambda: put(index, prepared(index, NEW)),
        "remove": lambda: retire(
            index, [known(prepared(index, OLD))], Outcome.REMOVED, RUN, NOW, source="s"
        ),
    }
    with monkeypatch.context() as faulty:
        faulty.setattr(index.vectors, step, failing(getattr(index.vectors, step), error, after))
        with pytest.raises(error):
            act[change]()
            raise error("never called")  # That step is not part of this change.
    recover(index)
    assert_true(index)
    act[change]()
    recover(index)
    assert_true(index)
    assert len(state(index)[0]) == (0 if change == "remove" else 3)


def failing(
    call: Callable[..., Any], error: type[BaseException], after: bool
) -> Callable[..., Any]:
    def fail(*arguments: Any, **options: Any) -> Any:
        if after:
            call(*arguments, **options)
        raise error("injected")

    return fail


@pytest.mark.parametrize("n_commits", range(4))
def test_a_kill_between_any_two_commits_is_made_good(index, monkeypatch, n_commits):
    put(index, prepared(index, OLD))
    real = index.catalog.writing
    left = [n_commits]

    def writing():
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return real()

    with monkeypatch.context() as faulty:
        faulty.setattr(index.catalog, "writing", writing)
        with suppress(Killed):
            put(index, prepared(index, NEW))
    recover(index)
    assert_true(index)
    put(index, prepared(index, NEW))
    assert_true(index)
    texts = {result.text for result in search(index, "words", 10)}
    assert not any("Third words." in text for text in texts)


def test_chunks_that_only_the_vector_store_has_are_never_found(index, monkeypatch):
    put(index, prepared(index, OLD))
    with monkeypatch.context() as faulty:
        faulty.setattr(index.vectors, "delete", failing(index.vectors.delete, Killed, False))
        with pytest.raises(Killed):
            put(index, prepared(index, NEW))
    assert len(index.vectors.contents(index.generation.collection)) == 5
    assert not any("Third words." in result.text for result in search(index, "words", 10))


def test_a_second_attempt_finishes_the_vectors_that_the_first_one_left_old(index, monkeypatch):
    put(index, prepared(index, OLD))
    changed = prepared(index, OLD, title="House rules")
    with monkeypatch.context() as faulty:
        fail = failing(index.vectors.upsert, StoreUnavailable, False)
        faulty.setattr("index.publishing.write_new", lambda *rest: None)  # There is nothing new.
        faulty.setattr(index.vectors, "upsert", fail)
        with pytest.raises(StoreUnavailable):
            put(index, changed)
    put(index, changed)
    assert_true(index)
    assert_vectors_true(index)


def test_a_second_attempt_leaves_nothing_of_the_metadata_of_the_first(index, monkeypatch):
    first = prepared(index, OLD)
    owned = replace(first, provenance=replace(first.provenance, extra={"owner": "HR"}))
    with monkeypatch.context() as faulty:
        faulty.setattr(
            index.vectors, "missing", failing(index.vectors.missing, StoreUnavailable, False)
        )
        with pytest.raises(StoreUnavailable):
            put(index, owned)
    put(index, first)
    assert_true(index)


def assert_vectors_true(index: Index) -> None:
    report = reconcile(index, index.targets[0], NOW, n_probes=1_000)
    assert report.agrees, report


def test_a_generation_that_was_dropped_can_be_built_again(index):
    """Its chunks are past, then current, then past again."""
    put(index, prepared(index, OLD))
    target = index.targets[0]
    for _ in range(2):
        with index.catalog.writing() as connection:
            chunk_rows.retire_generation(connection, target.generation.id)
        index.vectors.drop(target.generation.collection)
        build(index, target, all_valid)
    assert_true(index)
    with index.catalog.reading() as connection:
        ids = list(state(index)[0])
        assert [len(chunk_rows.history_of(connection, chunk_id)) for chunk_id in ids] == [1, 1, 1]
    put(index, prepared(index, NEW))
    assert_true(index)


def test_what_was_begun_in_a_generation_is_forgotten_with_it(index, monkeypatch):
    with monkeypatch.context() as faulty:
        faulty.setattr(index.vectors, "missing", failing(index.vectors.missing, Killed, False))
        with pytest.raises(Killed):
            put(index, prepared(index, OLD))
    with index.catalog.writing() as connection:
        chunk_rows.retire_generation(connection, index.generation.id)
    assert state(index)[2] == {}
