"""How much a run costs beside its embedding, and what a run costs that finds nothing changed.

    python benchmarks/ingest.py FOLDER [--runs 3] [--unchanged 100000]

Prints, for a copy of FOLDER: the seconds of a whole cold run (without Prefect's start, with a model
that was exported before), those of the same backend over the same chunks alone, and those of
`SentenceTransformer.encode` alone over the same chunks sorted by length, which is torch in fp32;
interleaved in one process, with their ratios, and the share of padding in what the model reads.
Then, for the copy and for a generated folder of small files, the seconds of the run that makes
their index with a stub for the model, and of those that find nothing changed, and nothing but the
files' times: these embed nothing. `--runs 0` leaves out the first part, `--unchanged 0` the
generated folder.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import flows.wiring
from flows.models import choose_model
from flows.orchestration.runtime import prefect_server
from flows.settings import load_settings
from flows.wiring import open_stores
from index.backends.backend import Backend
from index.backends.batching import padding_share
from index.backends.transformer import load_transformer
from index.catalog.chunks import load_chunks
from index.catalog.tables import chunk
from index.chunking import chunk_document
from index.embedding import Embedder
from tests.fakes import FakeEmbedder


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder, prefect_server(Path(folder) / "server"):
        documents = Path(shutil.copytree(arguments.folder, Path(folder) / "documents"))
        if arguments.runs:
            _cold(documents, Path(folder), arguments.runs)
        _stub_the_model()
        _unchanged(documents, Path(folder) / "unchanged", 3)
        if arguments.unchanged:
            many = Path(folder) / "many"
            generate(many, arguments.unchanged)
            _unchanged(many, Path(folder) / "many-state", 3)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--unchanged", type=int, default=100_000, metavar="FILES")
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class _Cold:
    """Seconds of one round."""

    whole: float
    backend: float
    """Alone, over the same chunks."""
    fp32: float
    """`SentenceTransformer.encode` alone, over the same chunks."""

    def __str__(self) -> str:
        return (
            f"whole {self.whole:.1f} s, backend alone {self.backend:.1f} s, fp32 alone "
            f"{self.fp32:.1f} s; ratios {self.to_backend:.3f} and {self.to_fp32:.3f}"
        )

    @property
    def to_backend(self) -> float:
        return self.whole / self.backend

    @property
    def to_fp32(self) -> float:
        return self.whole / self.fp32


def _cold(folder: Path, scratch: Path, n_runs: int) -> None:
    models = scratch / "models"
    settings = load_settings(state_dir=scratch)
    embedder = Embedder(choose_model(settings).model)
    embedder.load()
    fp32 = load_transformer(embedder.files.folder)
    rounds = []
    for number in range(n_runs):
        state = scratch / f"cold-{number}"
        if models.is_dir():
            shutil.copytree(models, state / "models")
        report = run_into(folder, state)
        texts = list(embedded_texts(state))
        by_length = sorted(texts, key=len)
        alone = seconds_of(partial(embedder.embed, texts))
        pure = seconds_of(partial(fp32.encode, by_length, batch_size=32, show_progress_bar=False))
        rounds.append(_Cold(report["seconds"]["total"], alone, pure))
        shutil.rmtree(state)
        print(f"run {number + 1}: {rounds[-1]}; load {os.getloadavg()[0]:.1f}", flush=True)
    print(f"documents {report['documents']}, run by {embedder.files.backend}")
    print(f"chunks embedded {report['chunks']['embedded']}, tokens {report['tokens']['embedded']}")
    print(f"padding {_padding(embedder, texts):.1%} of what the model reads")
    print(f"stages of the last run {report['seconds']}")
    print(
        f"medians of {n_runs}: {_median(one.whole for one in rounds):.1f} s, "
        f"{_median(one.backend for one in rounds):.1f} s, "
        f"{_median(one.fp32 for one in rounds):.1f} s; ratios "
        f"{_median(one.to_backend for one in rounds):.3f} to the backend alone, "
        f"{_median(one.to_fp32 for one in rounds):.3f} to fp32 alone"
    )


def _padding(embedder: Embedder, texts: Sequence[str]) -> float:
    if embedder.files.backend is Backend.ONNX_INT8:
        return 0.0  # It reads each text alone.
    sizes = [len(one.ids) for one in embedder.counter.encode(texts)]
    return padding_share(sizes, embedder.batch_tokens)


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _stub_the_model() -> None:
    os.environ["HEADWATER_INDEX__BACKEND"] = "torch"  # Which the stub stands for.
    flows.wiring.Embedder = FakeEmbedder  # type: ignore[misc]


def _unchanged(folder: Path, state: Path, n_runs: int) -> None:
    first = run_into(folder, state)
    n_files = first["documents"]["found"]
    _print_seconds("first run, without a model", n_files, [first["seconds"]])
    time.sleep(2.5)  # What was written less than 2 s before it was read is read once more.
    run_into(folder, state)
    _print_seconds("nothing changed", n_files, [_idle(folder, state) for _ in range(n_runs)])
    touched = []
    for number in range(n_runs):
        at = time.time() - 3600 * (number + 1)
        for file in folder.rglob("*"):
            os.utime(file, (at, at))
        touched.append(_idle(folder, state))
    _print_seconds("touched only", n_files, touched)


def _idle(folder: Path, state: Path) -> dict[str, float]:
    """The seconds of a run that has nothing to write."""
    report = run_into(folder, state)
    chunks = report["chunks"]
    assert chunks["embedded"] == chunks["written"] == chunks["deleted"] == 0, report
    seconds: dict[str, float] = report["seconds"]
    return seconds


def _print_seconds(name: str, n_files: int, seconds: Sequence[dict[str, float]]) -> None:
    total = _median(one["total"] for one in seconds)
    scan = _median(one["scan"] for one in seconds)
    print(
        f"{name}, {n_files} files: {total:.2f} s ({1000 * total / n_files:.3f} ms a file)"
        f", of which listing and plan {scan:.2f} s; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def run_into(folder: Path, state: Path) -> dict[str, Any]:
    from flows.ingest import ingest

    return ingest(str(folder), state=str(state))


def embedded_texts(state: Path) -> Iterator[str]:
    """What the run embedded, made again from the stored texts."""
    settings = load_settings(state_dir=state)
    with open_stores(settings) as index:
        with index.catalog.reading() as connection:
            ids = list(connection.scalars(chunk.select().with_only_columns(chunk.c.id)))
            keys = {held.text_key for held in load_chunks(connection, ids).values()}
        for key in keys:
            document = index.texts.get(key)
            assert document is not None
            for one in chunk_document(document, index.embedder.counter, settings.index.chunker):
                yield one.embedding_text


def generate(folder: Path, n_files: int) -> None:
    for number in range(n_files):
        file = folder / f"{number // 1000:03d}" / f"{number:06d}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"Note {number}\n\nThe meter in room {number} was read.\n", "utf-8")


if __name__ == "__main__":
    main()
