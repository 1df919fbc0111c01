"""The vector store and the embedding model, each by itself."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from index.chroma.client import ChromaFolder
from index.embedding import DEFAULT_MODEL, Embedder, ModelUnusable, TextTooLong, find_model
from index.vectors import Record, Stored, VectorStore


def record(name: str, *vector: float, **metadata: str | int) -> Record:
    values = np.array(vector or (1.0, 0.0), np.float32)
    return Record(name, values / np.linalg.norm(values), name, metadata or {"source": "s"})


@pytest.fixture
def vectors(tmp_path) -> Iterator[VectorStore]:
    with closing(VectorStore(ChromaFolder(tmp_path / "chroma"))) as store:
        yield store


def test_the_nearest_chunk_comes_first(vectors):
    vectors.upsert("coll", [record("east", 1, 0), record("north", 0, 1), record("ne", 1, 1)])
    hits = vectors.search("coll", np.array([1, 0.1], np.float32), 3)
    assert [hit.chunk_id for hit in hits] == ["east", "ne", "north"]
    assert hits[0].score > hits[1].score > hits[2].score


def test_a_search_can_be_held_to_a_source(vectors):
    vectors.upsert("coll", [record("a", 1, 0, source="x"), record("b", 0, 1, source="y")])
    hits = vectors.search("coll", np.array([1, 0], np.float32), 5, source="y")
    assert [hit.chunk_id for hit in hits] == ["b"]


def alike(rng: np.random.Generator, n: int) -> list[Record]:
    """Chunks of three subjects, as a handbook's are: near to each other, and none the same."""
    subjects = rng.standard_normal((3, 32))
    near = subjects[rng.integers(0, 3, n)] + 0.3 * rng.standard_normal((n, 32))
    return [record(str(number), *vector) for number, vector in enumerate(near)]


@pytest.mark.proof
def test_a_search_finds_every_chunk_however_it_came_there(vectors):
    rng = np.random.default_rng(7)
    for n in range(60):
        chunks = alike(rng, 60)
        vectors.upsert(f"coll{n}", chunks[:30])
        vectors.missing(f"coll{n}", ["0"])
        vectors.upsert(f"coll{n}", chunks[20:])
        best = {one.chunk_id: vectors.search(f"coll{n}", one.vector, 1)[0] for one in chunks}
        assert {k: hit.chunk_id for k, hit in best.items()} == {k: k for k in best}


def test_an_empty_collection_finds_nothing(vectors):
    assert vectors.search("coll", np.array([1, 0], np.float32), 5) == []


def test_metadata_that_is_gone_is_gone(vectors):
    vectors.upsert("coll", [record("a", 1, 0, source="x", page_first=3)])
    new = Stored("other words", {"source": "y"})
    vectors.refresh("coll", {"a": new, "missing": new})
    assert vectors.load("coll", ["a", "missing"]) == {"a": new}


def test_what_is_missing_is_named_and_deleting_it_is_no_error(vectors):
    vectors.upsert("coll", [record("a")])
    assert vectors.missing("coll", ["a", "b"]) == {"b"}
    vectors.delete("coll", ["a", "b"])
    assert vectors.missing("coll", ["a"]) == {"a"}


def test_a_thousand_chunks_and_more_are_written_in_parts(vectors):
    records = [record(str(n), *np.random.default_rng(n).standard_normal(4)) for n in range(2300)]
    vectors.upsert("coll", records)
    assert vectors.missing("coll", [str(n) for n in range(2300)]) == set()
    misses = sum(
        vectors.search("coll", one.vector, 1)[0].chunk_id != one.chunk_id for one in records[::50]
    )
    assert misses == 0


def test_the_default_model_is_the_one_it_should_be():
    files = find_model(DEFAULT_MODEL)
    assert (files.revision, files.window) == ("53aa51172d142c89", 256)


def test_a_model_that_is_not_there_is_told_in_words(tmp_path):
    with pytest.raises(ModelUnusable, match="no weights"):
        find_model(str(tmp_path))


def test_a_model_in_a_folder_has_its_own_revision(tmp_path):
    original = find_model(DEFAULT_MODEL).folder
    for file in original.rglob("*.json"):
        target = tmp_path / file.relative_to(original)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert find_model(str(tmp_path)).revision != find_model(DEFAULT_MODEL).revision


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(find_model(DEFAULT_MODEL))


def test_embeddings_come_in_order_and_have_unit_length(embedder):
    texts = [
        "a very short text",
        "a longer text " * 40,
        "the cat",
        *(f"text {n}" for n in range(70)),
    ]
    vectors = embedder.embed(texts)
    assert vectors.shape == (73, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[2], embedder.embed(["the cat"])[0], atol=1e-5)


def test_meaning_decides(embedder):
    texts = ["Vacation days accrue every month.", "The printer is out of toner."]
    question = embedder.embed_question("How much holiday do I get?")
    scores = embedder.embed(texts) @ question
    assert scores[0] > scores[1]


def test_a_text_that_is_too_long_is_refused_not_cut(embedder):
    with pytest.raises(TextTooLong):
        embedder.embed(["word " * 300])


def test_nothing_embeds_to_nothing(embedder):
    assert len(embedder.embed([])) == 0
