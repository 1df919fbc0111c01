"""Where the processor's time of a run goes, thread by thread, and how long the model has to wait.

    python benchmarks/threads.py FOLDER [--runs 3]

Ingests a copy of FOLDER into an empty index, after a first time that exports the model and imports
everything, and embeds the same chunks with the same backend alone. Prints for each run its seconds,
those of the model alone and their ratio, when the model began and ended, how long it waited in
between, and the processor's seconds of every kind of thread, of the processes that the run ended
(the parsers), and of those that go on (Prefect's server).
"""

import argparse
import os
import re
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.ingest import embedded_texts, run_into, seconds_of
from flows.models import choose_model
from flows.orchestration.runtime import prefect_server
from flows.settings import load_settings
from index.backends.quantized import Quantized
from index.backends.transformer import Transformer
from index.embedding import Embedder
from index.tokens import Encoded

Spans = list[tuple[float, float]]


class ThreadTimes:
    """Processor seconds by kind of thread, while it is entered."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="sampler")
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._names: dict[int, str] = {}

    def __enter__(self) -> "ThreadTimes":
        self._first = _thread_seconds()
        self._processes = _process_seconds()
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._sampler.join()
        self._processes = _process_seconds() - self._processes

    def _sample(self) -> None:
        """Again and again, for what a thread took is gone with it."""
        while True:
            ended = self._ended.wait(0.2)
            self._names |= {one.native_id or 0: one.name for one in threading.enumerate()}
            self._last |= _thread_seconds()
            if ended:
                return

    def __str__(self) -> str:
        kinds: Counter[str] = Counter()
        for thread, seconds in self._last.items():
            name = self._names.get(thread, "native threads")
            kinds[re.sub(r"[-_ ]*\d+", "", name)] += seconds - self._first.get(thread, 0.0)
        kinds += self._processes
        return ", ".join(f"{name} {took:.1f}" for name, took in kinds.most_common() if took > 0.05)


def _thread_seconds() -> dict[int, float]:
    return {one.id: one.user_time + one.system_time for one in psutil.Process().threads()}


def _process_seconds() -> Counter[str]:
    """Of this process's children."""
    own = os.times()
    living = [one.cpu_times() for one in psutil.Process().children(recursive=True)]
    seconds = Counter[str]()
    seconds["processes that ended"] = own.children_user + own.children_system
    seconds["processes that go on"] = sum(one.user + one.system for one in living)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    spans: Spans = []
    for backend in (Quantized, Transformer):
        _time_calls(backend, spans)
    with tempfile.TemporaryDirectory() as place, prefect_server(Path(place) / "server"):
        documents = Path(shutil.copytree(chosen.folder, Path(place) / "documents"))
        models = Path(place) / "first" / "models"
        run_into(documents, models.parent)
        for number in range(chosen.runs):
            state = Path(place) / f"run-{number}"
            if models.is_dir():
                shutil.copytree(models, state / "models")
            _run(documents, state, spans)
            shutil.rmtree(state)


def _time_calls(backend: type[Quantized] | type[Transformer], spans: Spans) -> None:
    """Have a backend note when it was at work."""
    embed = backend.embed

    def timed(self: Any, texts: Sequence[Encoded]) -> NDArray[np.float32]:
        began = time.perf_counter()
        vectors = embed(self, texts)
        spans.append((began, time.perf_counter()))
        return vectors

    backend.embed = timed  # type: ignore[method-assign]


def _run(documents: Path, state: Path, spans: Spans) -> None:
    spans.clear()
    with ThreadTimes() as beside:
        report = run_into(documents, state)
        ended = time.perf_counter()
    whole = report["seconds"]["total"]
    first, last = spans[0][0] - (ended - whole), ended - spans[-1][1]
    waited = sum(max(0.0, later[0] - one[1]) for one, later in pairwise(spans))
    embedder = Embedder(choose_model(load_settings(state_dir=state)).model)
    embedder.load()
    texts = list(embedded_texts(state))
    with ThreadTimes() as by_itself:
        alone = seconds_of(partial(embedder.embed, texts))
    print(f"run {whole:.1f} s, the model alone {alone:.1f} s, ratio {whole / alone:.3f}")
    print(f"    its first batch {first:.1f} s after the run began, its last ended {last:.1f} s")
    print(f"    before the run did, and it waited {waited:.1f} s in between")
    print(f"    processor, s: {beside}")
    print(f"    of the model alone: {by_itself}", flush=True)


if __name__ == "__main__":
    main()
