"""Whether the memory of a run grows with the number of its documents.

    python benchmarks/memory.py --files 100000

Ingests a generated folder of small files into an empty index, with a stub for the model, and prints
resident memory in MiB, of the process that runs the flow and of its workers together, at each
twentieth of the documents. The verdict compares the fifth of the samples after the warm-up, which
lasts until a fifth of the documents is done, with the last fifth: flat if the median of these is at
most 20 per cent larger. The vectors in the store have 16 numbers, for it keeps an index in memory
that grows with what it holds, whoever fills it.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import flows.wiring
from benchmarks.ingest import generate
from flows.orchestration.runtime import prefect_server
from flows.runs.progress import Silent, watching
from tests.fakes import FakeEmbedder

MIB = 2**20
WARM_UP = 0.2
MAX_GROWTH = 1.2


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at a moment."""

    seconds: float
    n_documents: int
    run_mib: float
    workers_mib: float


class Watch(Silent):
    """Counts the documents that are done."""

    n_documents = 0

    def documents_done(self, n: int) -> None:
        self.n_documents += n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS")
    chosen = parser.parse_args()
    os.environ["HEADWATER_INDEX__BACKEND"] = "torch"  # Which the stub stands for.
    flows.wiring.Embedder = FakeEmbedder  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as place, prefect_server(Path(place) / "server"):
        generate(Path(place) / "documents", chosen.files)
        report, samples = _watched(Path(place), chosen.every)
    print(f"documents {report['documents']}, {report['seconds']['total']:.0f} s")
    _print(samples, chosen.files)


def _watched(place: Path, every_s: float) -> tuple[dict[str, Any], list[Sample]]:
    from flows.ingest import ingest

    watch, samples, ended = Watch(), list[Sample](), threading.Event()
    sampler = threading.Thread(target=_sample, args=(watch, samples, ended, every_s))
    sampler.start()
    token = watching.set(watch)
    try:
        return ingest(str(place / "documents"), state=str(place / "state")), samples
    finally:
        watching.reset(token)
        ended.set()
        sampler.join()


def _sample(watch: Watch, samples: list[Sample], ended: threading.Event, every_s: float) -> None:
    began, own = time.monotonic(), psutil.Process()
    while not ended.wait(every_s):
        workers = [one for one in own.children(recursive=True) if _is_worker(one)]
        samples.append(
            Sample(
                time.monotonic() - began,
                watch.n_documents,
                _resident(own),
                sum(map(_resident, workers)),
            )
        )


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "parsers.worker" in process.cmdline()
    except psutil.Error:
        return False


def _resident(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / MIB
    except psutil.Error:
        return 0.0


def _print(samples: Sequence[Sample], n_files: int) -> None:
    print("| documents | seconds | run, MiB | workers, MiB |\n|---|---|---|---|")
    for twentieth in range(1, 21):
        due = [one for one in samples if one.n_documents >= n_files * twentieth / 20]
        if due:
            one = due[0]
            cells = f"{one.n_documents:,} | {one.seconds:.0f} | {one.run_mib:.0f}"
            print(f"| {cells} | {one.workers_mib:.0f} |")
    warm = [one for one in samples if one.n_documents >= n_files * WARM_UP]
    fifth = max(1, len(warm) // 5)
    first, last = (
        statistics.median(one.run_mib + one.workers_mib for one in part)
        for part in (warm[:fifth], warm[-fifth:])
    )
    verdict = "flat" if last <= first * MAX_GROWTH else "GROWS"
    growth = f"{first:.0f} MiB after the warm-up, {last:.0f} MiB at the end ({last / first:.2f})"
    print(f"{growth}: {verdict}")


if __name__ == "__main__":
    main()
