"""A Chroma folder that takes the place of another: killed anywhere, one of them is there whole."""

from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from index.chroma import swapping
from index.chroma.client import ChromaFolder
from index.errors import StoreBusy
from index.vectors import Record, VectorStore


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


def record(name: str, seed: int) -> Record:
    vector = np.random.default_rng(seed).standard_normal(8).astype(np.float32)
    return Record(name, vector / np.linalg.norm(vector), f"words of {name}", {"source": "s"})


def store(folder: Path) -> VectorStore:
    return VectorStore(ChromaFolder(folder / "chroma", wait_s=0.2))


def renew(vectors: VectorStore) -> None:
    with vectors.renewed() as fresh:
        assert fresh is not None
        fresh.upsert("coll", [record("new", 2)])


def segments(folder: Path) -> set[str]:
    return {path.name for path in (folder / "chroma").iterdir() if path.is_dir()}


def test_the_new_store_takes_the_place_of_the_old(tmp_path):
    with closing(store(tmp_path)) as vectors:
        vectors.upsert("coll", [record("old", 1)])
        renew(vectors)
        assert vectors.page("coll", 0) == ["new"]
        assert vectors.search("coll", record("new", 2).vector, 1)[0].score > 0.999
    assert {path.name for path in tmp_path.iterdir()} == {"chroma", "chroma.lock"}


def test_a_store_that_is_empty_can_be_renewed(tmp_path):
    with closing(store(tmp_path)) as vectors:
        with vectors.renewed():
            pass
        assert vectors.collections() == []


def test_nobody_else_gets_in_meanwhile(tmp_path):
    with closing(store(tmp_path)) as vectors, closing(store(tmp_path)) as other:
        vectors.upsert("coll", [record("old", 1)])
        with vectors.renewed(), pytest.raises(StoreBusy):
            other.collections()
        with pytest.raises(StoreBusy):
            other.collections()


def test_what_fails_while_it_is_built_leaves_the_old_store(tmp_path):
    with closing(store(tmp_path)) as vectors:
        vectors.upsert("coll", [record("old", 1)])
        with suppress(Killed), vectors.renewed() as fresh:
            fresh.upsert("coll", [record("new", 2)])
            raise Killed
        assert vectors.page("coll", 0) == ["old"]
        renew(vectors)
        assert vectors.page("coll", 0) == ["new"]


@pytest.mark.parametrize("n_steps", range(6))
def test_a_kill_in_the_middle_of_the_swap_is_made_good(tmp_path, monkeypatch, n_steps):
    left = [n_steps]

    def step(real):
        def limited(*arguments):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return real(*arguments)

        return limited

    vectors = store(tmp_path)
    vectors.upsert("coll", [record("old", 1)])
    with monkeypatch.context() as faulty:
        with suppress(Killed):
            with vectors.renewed() as fresh:
                fresh.upsert("coll", [record("new", 2)])
                fresh.close()
                faulty.setattr(Path, "rename", step(Path.rename))
                faulty.setattr(swapping.shutil, "rmtree", step(swapping.shutil.rmtree))
                faulty.setattr(swapping, "_flush", step(swapping._flush))
    vectors.close()
    with closing(store(tmp_path)) as again:
        again._home.require_room()  # Asked first by whoever writes: it must not stand in the way.
        assert again.page("coll", 0) in (["old"], ["new"])
    assert {path.name for path in tmp_path.iterdir()} == {"chroma", "chroma.lock"}


def test_a_collection_that_is_dropped_leaves_no_vectors_on_disk(tmp_path):
    with closing(store(tmp_path)) as vectors:
        vectors.upsert("coll", [record("kept", 1)])
        before = segments(tmp_path)
        vectors.upsert("other", [record("dropped", 2)])
        assert len(segments(tmp_path)) == 2
        vectors.drop("other")
        assert segments(tmp_path) == before
        assert vectors.search("coll", record("kept", 1).vector, 1)[0].chunk_id == "kept"
        vectors.drop("other")


def test_what_was_in_memory_is_not_left_in_room_that_is_not_used(tmp_path):
    with closing(store(tmp_path)) as vectors:
        vectors.upsert("coll", [record("kept", 1)])
    (file,) = (tmp_path / "chroma").glob("*/data_level0.bin")
    file.write_bytes(b"Jane Doe".ljust(file.stat().st_size, b"!"))
    with closing(store(tmp_path)) as vectors:
        assert vectors.search("coll", record("kept", 1).vector, 1)[0].score > 0.999
    assert not any(file.read_bytes())
    with closing(store(tmp_path)) as vectors:
        vectors.upsert("coll", [record(f"more {n}", n) for n in range(2, 1_150)])
    used = file.read_bytes().rstrip(b"\0")
    assert len(used) > 1_000 * 8 * 4
    with closing(store(tmp_path)) as vectors:
        misses = [
            n
            for n in range(2, 1_150, 50)
            if vectors.search("coll", record("", n).vector, 1)[0].chunk_id != f"more {n}"
        ]
    assert misses == []
