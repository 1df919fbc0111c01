"""How much a run costs beside its embedding, and what a run costs that finds nothing changed.

    python benchmarks/ingest.py FOLDER [--runs 3] [--unchanged 20000]

Prints, for FOLDER: the seconds of a whole cold run (without Prefect's start), the seconds of
`SentenceTransformer.encode` alone over the same chunks sorted by length, interleaved in one
process, and their ratio; the seconds of our own batches, which are sorted by tokens, alone; then
the seconds of a run that finds nothing changed, for FOLDER and for a generated folder of small
files.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.orchestration.runtime import prefect_server
from flows.settings import load_settings
from flows.wiring import open_stores
from index.catalog.chunks import load_chunks
from index.catalog.tables import chunk
from index.chunking import chunk_document
from index.embedding import Embedder, find_model


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder, prefect_server(Path(folder) / "server"):
        _cold(arguments.folder, Path(folder), arguments.runs)
        _unchanged(arguments.folder, Path(folder) / "unchanged", 3)
        if arguments.unchanged:
            many = Path(folder) / "many"
            _generate(many, arguments.unchanged)
            _unchanged(many, Path(folder) / "many-state", 3)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--unchanged", type=int, default=20_000, metavar="FILES")
    return parser.parse_args()


def _cold(folder: Path, scratch: Path, n_runs: int) -> None:
    embedder = Embedder(find_model(load_settings().index.model))
    embedder.load()
    whole, pure, tight, reports = [], [], [], []
    for number in range(n_runs):
        state = scratch / f"cold-{number}"
        report = _ingest(folder, state)
        texts = list(_embedded_texts(state))
        pure.append(_seconds_of_encode(embedder, sorted(texts, key=len)))
        started = time.perf_counter()
        embedder.embed(texts)
        tight.append(time.perf_counter() - started)
        whole.append(report["seconds"]["total"])
        reports.append(report)
        shutil.rmtree(state)
        ratio = whole[-1] / pure[-1]
        print(
            f"run {number + 1}: whole {whole[-1]:.1f} s, pure {pure[-1]:.1f} s, ratio {ratio:.3f}; "
            f"our batches alone {tight[-1]:.1f} s, ratio {whole[-1] / tight[-1]:.3f}"
        )
    ratios = [w / p for w, p in zip(whole, pure, strict=True)]
    last = reports[-1]
    print(f"documents {last['documents']}")
    print(f"chunks embedded {last['chunks']['embedded']}, tokens {last['tokens']['embedded']}")
    print(f"stages of the last run {last['seconds']}")
    print(
        f"medians of {n_runs}: whole {statistics.median(whole):.1f} s, "
        f"pure encode {statistics.median(pure):.1f} s, ratio {statistics.median(ratios):.3f}; "
        f"our batches alone {statistics.median(tight):.1f} s"
    )


def _seconds_of_encode(embedder: Embedder, texts: list[str]) -> float:
    started = time.perf_counter()
    embedder._loaded().encode(texts, batch_size=32, show_progress_bar=False)
    return time.perf_counter() - started


def _unchanged(folder: Path, state: Path, n_runs: int) -> None:
    n_files = _ingest(folder, state)["documents"]["found"]
    time.sleep(2.5)  # What was written less than 2 s before it was read is read once more.
    _ingest(folder, state)
    seconds = []
    for _ in range(n_runs):
        report = _ingest(folder, state)
        assert report["chunks"]["made"] == report["chunks"]["written"] == 0, report
        seconds.append(report["seconds"])
    total = statistics.median(one["total"] for one in seconds)
    scan = statistics.median(one["scan"] for one in seconds)
    print(
        f"nothing changed, {n_files} files: {total:.2f} s ({1000 * total / n_files:.3f} ms a file)"
        f", of which listing and plan {scan:.2f} s"
    )


def _ingest(folder: Path, state: Path) -> dict[str, Any]:
    from flows.ingest import ingest

    return ingest(str(folder), state=str(state))


def _embedded_texts(state: Path) -> Iterator[str]:
    """What the run embedded, made again from the stored texts."""
    settings = load_settings(state_dir=state)
    with open_stores(settings) as index:
        with index.catalog.reading() as connection:
            ids = list(connection.scalars(chunk.select().with_only_columns(chunk.c.id)))
            keys = {text_key for *_, text_key in load_chunks(connection, ids).values()}
        for key in keys:
            document = index.texts.get(key)
            assert document is not None
            for one in chunk_document(document, index.embedder.counter, settings.index.chunker):
                yield one.embedding_text


def _generate(folder: Path, n_files: int) -> None:
    for number in range(n_files):
        file = folder / f"{number // 1000:03d}" / f"{number:06d}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"Note {number}\n\nThe meter in room {number} was read.\n", "utf-8")


if __name__ == "__main__":
    main()
