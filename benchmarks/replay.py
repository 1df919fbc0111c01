"""What following a folder through its history costs, and whether the index then equals a fresh one.

    python benchmarks/replay.py FOLDER [--check] [--state DIR]

FOLDER holds snapshots of one folder: `snapshot_00`, `snapshot_01`, … They are copied in turn into
one working folder, as a checkout would do it (files that stay the same are not touched), and
ingested after each step. Prints for every step how many documents were added, changed, moved (gone
from one place, and at least 0.6 alike by words in another) and removed; the words in paragraphs
that are new since the step before, white space aside, as a share of all words; the chunks, and how
many of them were embedded, reused from the cache and deleted; the seconds of the run.

With `--check` each snapshot is also ingested into an empty state directory, and all of the catalog
and of the vector store must be equal but for what tells when and by which run. The number of equal
entries is printed; a difference ends the command with an error. The fresh run is given the
embedding cache: what is compared is that every chunk has the vector of its text, not that the model
makes the same vector of the same text twice.
"""

import argparse
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from flows.orchestration.runtime import prefect_server
from flows.settings import load_settings
from flows.wiring import make_state_dir, open_stores
from index.catalog import tables
from index.catalog.chunks import count_chunks
from index.identity import fold
from index.stores import Index

_Key = tuple[str, str]

_ALIKE = 0.6
_ROUNDING = 1e-6
_OF_THE_RUN = {"run_id", "indexed_at", "first_seen_at", "stat_trusted"}
_ROW_NUMBERS = {"version.id", "chunk.version", "document.current_version"}
_COLUMNS = (
    *("step", "documents", "added", "changed", "moved", "removed", "new words, %"),
    *("chunks", "embedded", "reused", "deleted", "embedded, %", "seconds"),
)


def main() -> None:
    arguments = _arguments()
    snapshots = sorted(arguments.folder.glob("snapshot_??"))
    if not snapshots:
        raise SystemExit(f"{arguments.folder} holds no snapshots")
    columns = [*_COLUMNS, "equal to a fresh ingest"] if arguments.check else _COLUMNS
    with _scratch(arguments.state) as scratch, prefect_server(scratch / "server"):
        print(_row(columns))
        print(_row(["---"] * len(columns)))
        for number, snapshot in enumerate(snapshots):
            cells = _step(snapshot, scratch / "handbook", scratch / "state")
            if arguments.check:
                fresh = scratch / f"fresh-{number:02d}"
                cells.append(_checked(scratch / "handbook", scratch / "state", fresh))
            print(_row([f"{number:02d}", *cells]), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--state", type=Path, metavar="DIR", help="empty; kept afterwards")
    return parser.parse_args()


@contextmanager
def _scratch(kept: Path | None) -> Iterator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    kept.mkdir(parents=True, exist_ok=True)
    if any(kept.iterdir()):
        raise SystemExit(f"{kept} is not empty: what it holds would not be embedded again")
    yield kept


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _step(snapshot: Path, folder: Path, state: Path) -> list[str]:
    before, after = files(folder), files(snapshot)
    check_out(snapshot, folder)
    report = _ingest(folder, state)
    settings = load_settings(state_dir=state)
    with open_stores(settings) as index, index.catalog.reading() as connection:
        n_chunks = count_chunks(connection)
    changes, chunks = changes_between(before, after), report["chunks"]
    return [
        str(len(after)),
        *map(str, (changes.added, changes.changed, changes.moved, changes.removed)),
        f"{100 * _new_words(before, after):.1f}",
        *map(str, (n_chunks, chunks["embedded"], chunks["reused"], chunks["deleted"])),
        f"{100 * chunks['embedded'] / n_chunks:.2f}",
        f"{report['seconds']['total']:.1f}",
    ]


def files(folder: Path) -> dict[str, bytes]:
    """What a folder holds, by path in it."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def check_out(snapshot: Path, folder: Path) -> None:
    """Make a folder hold what a snapshot holds; files that do already keep their times."""
    before, after = files(folder), files(snapshot)
    for name in before.keys() - after.keys():
        (folder / name).unlink()
    for name, data in after.items():
        if before.get(name) != data:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


@dataclass(frozen=True, slots=True)
class Changes:
    """How many documents differ between two snapshots; each is counted once."""

    added: int
    changed: int
    moved: int
    removed: int


def changes_between(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Changes:
    gone = {name: Counter(before[name].split()) for name in before.keys() - after.keys()}
    new = {name: Counter(after[name].split()) for name in after.keys() - before.keys()}
    alike = sorted(
        ((_alike(a, b), old, name) for old, a in gone.items() for name, b in new.items()),
        reverse=True,
    )
    n_moved = 0
    for similarity, old, name in alike:
        if similarity >= _ALIKE and old in gone and name in new:
            del gone[old], new[name]
            n_moved += 1
    n_changed = sum(before[name] != after[name] for name in before.keys() & after.keys())
    return Changes(len(new), n_changed, n_moved, len(gone))


def _alike(one: Counter[bytes], other: Counter[bytes]) -> float:
    """Share of the words of two texts that both have, 0 to 1."""
    n_words = one.total() + other.total()
    return 2 * (one & other).total() / n_words if n_words else 1.0


def _new_words(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> float:
    known = {paragraph for data in before.values() for paragraph in _paragraphs(data)}
    sizes = [
        (paragraph not in known, len(paragraph.split()))
        for data in after.values()
        for paragraph in _paragraphs(data)
    ]
    return sum(n for is_new, n in sizes if is_new) / sum(n for _, n in sizes)


def _paragraphs(data: bytes) -> list[str]:
    return [fold(paragraph) for paragraph in data.decode("utf-8").split("\n\n")]


def _ingest(folder: Path, state: Path) -> dict[str, Any]:
    from flows.ingest import ingest

    return ingest(str(folder), state=str(state), allow_removal=True)


def _checked(folder: Path, state: Path, fresh: Path) -> str:
    _share_embeddings(state, fresh)
    _ingest(folder, fresh)
    made = stored_in(fresh)
    shutil.rmtree(fresh)
    if different := differing(stored_in(state), made):
        raise SystemExit(f"differs from a fresh ingest: {len(different)} entries, {different[:3]}")
    return f"{len(made)} entries"


def _share_embeddings(state: Path, fresh: Path) -> None:
    settings = load_settings(state_dir=fresh)
    make_state_dir(settings)
    with open_stores(load_settings(state_dir=state)) as given, open_stores(settings) as taking:
        with given.catalog.reading() as connection:
            rows = [dict(row) for row in connection.execute(sa.select(tables.embedding)).mappings()]
        with taking.catalog.writing() as connection:
            connection.execute(sa.insert(tables.embedding), rows)


def stored_in(state: Path) -> dict[_Key, Any]:
    """All that an index holds, but for what tells when and by which run it came there."""
    with open_stores(load_settings(state_dir=state)) as index:
        return _in_catalog(index) | _in_vectors(index)


def _in_vectors(index: Index) -> dict[_Key, Any]:
    collection = index.generation.collection
    stored: dict[_Key, Any] = {}
    n_read = 0
    while page := index.vectors.page(collection, n_read):
        n_read += len(page)
        vectors = index.vectors.load_vectors(collection, page)
        for chunk_id, one in index.vectors.load(collection, page).items():
            metadata = {k: v for k, v in one.metadata.items() if k not in _OF_THE_RUN}
            stored["text", chunk_id] = (one.text, metadata)
            stored["vector", chunk_id] = vectors[chunk_id]
    return stored


def differing(one: Mapping[_Key, Any], other: Mapping[_Key, Any]) -> list[_Key]:
    """The keys under which two indexes do not hold the same."""
    both = one.keys() & other.keys()
    unequal = [key for key in both if not _is_equal(one[key], other[key])]
    return sorted([*unequal, *(one.keys() ^ other.keys())])


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        # Chroma brings a vector to unit length again whenever it is written.
        return np.allclose(one, other, rtol=0, atol=_ROUNDING)
    return bool(one == other)


def _in_catalog(index: Index) -> dict[_Key, Any]:
    document, version, chunk = tables.document, tables.version, tables.chunk
    with index.catalog.reading() as connection:
        documents = sa.select(document).where(document.c.removed_at.is_(None))
        stored: dict[_Key, Any] = {
            ("document", row[document.c.id]): _lasting(row, document)
            for row in connection.execute(documents).mappings()
        }
        chunks = sa.select(chunk, version).join(version, chunk.c.version == version.c.id)
        for row in connection.execute(chunks).mappings():
            stored["chunk", row[chunk.c.id]] = _lasting(row, chunk) | _lasting(row, version)
    return stored


def _lasting(row: sa.RowMapping, table: sa.Table) -> dict[str, Any]:
    return {
        str(column): row[column]
        for column in table.c
        if column.name not in _OF_THE_RUN and str(column) not in _ROW_NUMBERS
    }


if __name__ == "__main__":
    main()
