"""Whether the memory of a run grows with the number of its documents.

    python benchmarks/memory.py --files 100000
    python benchmarks/memory.py --rows 1000000

Ingests a generated folder of small files into an empty index, with a stub for the model, and prints
resident memory in MiB, of the process that runs the flow and of its workers together, at each
twentieth of the documents. The verdict compares the fifth of the samples after the warm-up, which
lasts until a fifth of the documents is done, with the last fifth: flat if the median of these is at
most 20 per cent larger. The vectors in the store have 16 numbers, for it keeps an index in memory
that grows with what it holds, whoever fills it.

With `--rows` it ingests one table of so many rows instead, and prints the peaks.
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
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS")
    chosen = parser.parse_args()
    os.environ["HEADWATER_INDEX__BACKEND"] = "torch"  # Which the stub stands for.
    flows.wiring.Embedder = FakeEmbedder  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as place, prefect_server(Path(place) / "server"):
        if chosen.rows:
            _table(Path(place), chosen)
            return
        generate(Path(place) / "documents", chosen.files)
        print("| documents | seconds | run, MiB | workers, MiB |\n|---|---|---|---|", flush=True)
        report, samples = _watched(Path(place), chosen.every, chosen.files // 20)
    print(f"documents {report['documents']}, {report['seconds']['total']:.0f} s")
    _judge(samples, chosen.files)


def _table(place: Path, chosen: argparse.Namespace) -> None:
    """What one large table takes."""
    folder = place / "documents"
    folder.mkdir()
    with (folder / "meters.csv").open("w", encoding="utf-8") as file:
        file.write("meter,room,read on,value,by\n")
        for number in range(chosen.rows):
            day = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}"
            file.write(f"{number:08},room {number % 977},{day},{number * 7 % 100_003},Ann\n")
    report, samples = _watched(place, chosen.every, chosen.rows)
    print(f"documents {report['documents']}, reasons {report['reasons']}")
    print(f"chunks {report['chunks']['made']}, seconds {report['seconds']}")
    run = max(one.run_mib for one in samples)
    workers = max(one.workers_mib for one in samples)
    print(f"at most {run:.0f} MiB in the run, {workers:.0f} MiB in its workers")


def _watched(place: Path, every_s: float, row_each: int) -> tuple[dict[str, Any], list[Sample]]:
    from flows.ingest import ingest

    watch, samples, ended = Watch(), list[Sample](), threading.Event()
    arguments = (watch, samples, ended, every_s, row_each)
    sampler = threading.Thread(target=_sample, args=arguments)
    sampler.start()
    token = watching.set(watch)
    try:
        return ingest(str(place / "documents"), state=str(place / "state")), samples
    finally:
        watching.reset(token)
        ended.set()
        sampler.join()


def _sample(
    watch: Watch, samples: list[Sample], ended: threading.Event, every_s: float, row_each: int
) -> None:
    began, own, due = time.monotonic(), psutil.Process(), row_each
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
        if samples[-1].n_documents >= due:
            due += row_each
            print(_row(samples[-1]), flush=True)


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


def _row(seen: Sample) -> str:
    cells = f"{seen.n_documents:,} | {seen.seconds:.0f} | {seen.run_mib:.0f}"
    return f"| {cells} | {seen.workers_mib:.0f} |"


def _judge(samples: Sequence[Sample], n_files: int) -> None:
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
