"""What an index of many documents costs, and whether anything grows faster than they do.

    python benchmarks/scale.py [--documents 20000] [--chunks-per-document 10] [--state DIR] [--fill]

Generates a folder of small Markdown files and ingests it in three steps, a hundredth, a tenth and
all of it, each with the whole flow and its parsers; with `--fill` without sandbox, checks and
Prefect, which is several times as quick and ends in the same index. After each step it measures,
every one in a process of its own: a run with nothing changed, a run with one changed document,
searches (the quickest of those after the first), `status`, and `reconcile`, by Chroma's file and
by its client. In place of the model stands a stub that makes a unit vector of a text's hash, for no
step measured here depends on what the model finds alike.

With `--state`, the folder and the index are kept there; a later call measures again what is there,
and ingests only what is not.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import flows.wiring
import index.chroma.file
from flows.freshness.status import all_statuses
from flows.orchestration.runtime import prefect_server
from flows.settings import load_settings
from flows.upkeep import reconcile_index
from flows.wiring import open_catalog, open_stores
from index.contents import ReadBy
from index.embedding import Embedder, ModelFiles
from index.search import search
from index.stores import Index

_DIMENSION: Final = 384
_INTRINSIC: Final = 16
_SHARES: Final = (100, 10, 1)
_WORDS_IN_CHUNK: Final = 45
_N_SEARCHES: Final = 20
_SETTLED_S: Final = 2.5
"""What was written less than 2 s before it was read is read once more by the next run."""
_VOCABULARY: Final = [
    first + last
    for first in ("", "under", "over", "out", "in", "back", "fore", "up")
    for last in ("line", "take", "work", "ground", "hand", "side", "stand", "come", "house")
]

Cost = tuple[float, float]
"""Seconds on the clock, and of this process on the processors."""
Costs = Mapping[str, Cost]


class HashEmbedder(Embedder):
    """Makes a unit vector of a text's hash, in a subspace of few dimensions, as texts' are."""

    def __init__(self, files: ModelFiles) -> None:
        super().__init__(files)
        axes = np.random.default_rng(0).standard_normal((_INTRINSIC, _DIMENSION))
        self._axes = axes.astype(np.float32)

    def load(self) -> None: ...

    def embed(
        self, texts: Sequence[str], report: Callable[[int], None] = lambda n: None
    ) -> NDArray[np.float32]:
        report(len(texts))
        if not texts:
            return np.empty((0, 0), np.float32)
        return np.stack([self.embed_question(text) for text in texts])

    def embed_question(self, words: str) -> NDArray[np.float32]:
        seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")
        vector = np.random.default_rng(seed).standard_normal(_INTRINSIC, np.float32) @ self._axes
        unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
        return unit


def main() -> None:
    arguments = _arguments()
    if arguments.measure:
        _measure(arguments.measure, arguments.state)
    else:
        with _place(arguments.state) as place, prefect_server(place / "server"):
            first = "fill" if arguments.fill else "ingest"
            _grow(place, arguments.documents, arguments.chunks_per_document, first)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--chunks-per-document", type=int, default=10)
    parser.add_argument("--fill", action="store_true", help="index without sandbox and checks")
    parser.add_argument("--state", type=Path, help="keep the folder and the index here")
    parser.add_argument("--measure", choices=[*BUILDS, *MEASURES], help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _place(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)


def _grow(place: Path, n_documents: int, n_chunks: int, first: str) -> None:
    print(f"{'chunks':>8}  {'what':<28}{'seconds':>9}{'CPU s':>9}{'peak MiB':>10}")
    for share in _SHARES:
        n = max(1, n_documents // share)
        if _file(place / "documents", n).exists():
            continue  # An earlier call went on from here.
        _generate(place / "documents", n, n_chunks)
        time.sleep(_SETTLED_S)
        for name in (first, *MEASURES):
            measured = _in_own_process(name, place)
            for what, (seconds, cpu_s) in measured["costs"].items():
                numbers = f"{seconds:>9.3f}{cpu_s:>9.3f}{measured['peak_mib']:>10.0f}"
                print(f"{n * n_chunks:>8}  {what:<28}{numbers}", flush=True)


def _in_own_process(name: str, place: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", name, "--state", str(place)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measure(name: str, place: Path) -> None:
    flows.wiring.Embedder = HashEmbedder  # type: ignore[misc]
    os.chdir(place)  # Where no settings file of whoever runs this is found.
    costs = (BUILDS | MEASURES)[name](place)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"costs": costs, "peak_mib": peak_mib}))


def _cost(act: Callable[[], object]) -> Cost:
    started, cpu_started = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - started, time.process_time() - cpu_started


def _ingest(place: Path) -> Costs:
    report, cost = _run(place)
    return {"ingest": cost} if report["chunks"]["written"] else {}


def _fill(place: Path) -> Costs:
    from filling import fill

    return {"fill": _cost(lambda: fill(place / "documents", place / "state"))}


def _unchanged(place: Path) -> Costs:
    report, cost = _run(place)
    assert report["chunks"]["made"] == report["chunks"]["written"] == 0, report
    return {"run, nothing changed": cost}


def _one_changed(place: Path) -> Costs:
    with _file(place / "documents", 0).open("a", encoding="utf-8") as file:
        file.write(f"\n## Later\n\nAdded at {time.time_ns()}.\n")
    report, cost = _run(place)
    assert report["documents"]["indexed"] == 1, report
    return {"run, one document changed": cost}


def _run(place: Path) -> tuple[dict[str, Any], Cost]:
    """A run and its cost: the seconds that it reports, without Prefect's start; CPU with it."""
    from flows.ingest import ingest

    cpu_started = time.process_time()
    report = ingest(str(place / "documents"), state=str(place / "state"))
    cpu_s = time.process_time() - cpu_started
    assert report["documents"]["quarantined"] == 0, report
    return report, (report["seconds"]["total"], cpu_s)


def _search(place: Path) -> Costs:
    with open_stores(load_settings(state_dir=place / "state")) as stores:
        ask = partial(_costs_of_searches, stores)
        first, *later = ask(None)
        assert len(search(stores, "question", 5, source="documents")) == 5
        return {
            "search, first in a process": first,
            "search, later": min(later),
            "search in one source, later": min(ask("documents")),
        }


def _costs_of_searches(stores: Index, source: str | None) -> list[Cost]:
    return [
        _cost(lambda words=f"question {number}": search(stores, words, 5, source=source))
        for number in range(_N_SEARCHES)
    ]


def _status(place: Path) -> Costs:
    settings = load_settings(state_dir=place / "state")
    with open_catalog(settings) as catalog:
        return {"status": _cost(lambda: all_statuses(settings, catalog))}


def _reconcile(place: Path) -> Costs:
    return {"reconcile": _cost(lambda: _agree(place, ReadBy.FILE))}


def _reconcile_by_client(place: Path) -> Costs:
    index.chroma.file.MIGRATIONS = {}  # Now no file is one that is known.
    return {"reconcile, by the client": _cost(lambda: _agree(place, ReadBy.CLIENT))}


def _agree(place: Path, read_by: ReadBy) -> None:
    (report,) = reconcile_index(load_settings(state_dir=place / "state"))
    assert report.agrees, report
    assert report.read_by is read_by, report


BUILDS: Final[dict[str, Callable[[Path], Costs]]] = {"ingest": _ingest, "fill": _fill}
MEASURES: Final[dict[str, Callable[[Path], Costs]]] = {
    "unchanged": _unchanged,
    "one-changed": _one_changed,
    "search": _search,
    "status": _status,
    "reconcile": _reconcile,
    "reconcile-by-client": _reconcile_by_client,
}
"""By name, what to do in a process of its own; each says what it cost."""


def _generate(folder: Path, n_documents: int, n_chunks: int) -> None:
    for number in range(n_documents):
        file = _file(folder, number)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_markdown(number, n_chunks), "utf-8")


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number // 1000:03d}" / f"{number:06d}.md"


def _markdown(number: int, n_chunks: int) -> str:
    """A heading starts a chunk, so there are as many chunks as headings."""
    chance = random.Random(number)
    sections = [
        f"## Part {part} of note {number}\n\n"
        f"{' '.join(chance.choices(_VOCABULARY, k=_WORDS_IN_CHUNK))}.\n"
        for part in range(n_chunks)
    ]
    return "\n".join(sections)


if __name__ == "__main__":
    main()
