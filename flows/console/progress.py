"""How far a run is, while it goes on."""

import sys
import time
from typing import Final

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from flows.console.terminal import err

_REPORT_EVERY_S: Final = 10.0


class TerminalProgress:
    """A bar of documents, chunks per second and the time left."""

    def __init__(self) -> None:
        self._n_chunks = 0
        self._started = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("documents"),
            _ChunkRate(),
            TimeRemainingColumn(),
            console=err,
            transient=True,
        )
        self._task = self._bar.add_task("listing", total=None, chunks_per_s=0.0)

    def __enter__(self) -> "TerminalProgress":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def planned(self, n_documents: int) -> None:
        self._started = time.monotonic()
        self._bar.update(self._task, description="indexing", total=n_documents, completed=0)

    def documents_done(self, n: int) -> None:
        self._bar.advance(self._task, n)

    def chunks_embedded(self, n: int) -> None:
        self._n_chunks += n
        rate = self._n_chunks / max(0.1, time.monotonic() - self._started)
        self._bar.update(self._task, chunks_per_s=rate)


class _ChunkRate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['chunks_per_s']:.0f} chunks/s", style="cyan")


class LineProgress:
    """A plain line now and then, for logs."""

    def __init__(self) -> None:
        self._n_documents = self._n_done = self._n_chunks = 0
        self._next = time.monotonic() + _REPORT_EVERY_S

    def __enter__(self) -> "LineProgress":
        return self

    def __exit__(self, *error: object) -> None: ...

    def planned(self, n_documents: int) -> None:
        self._n_documents = n_documents
        if n_documents:
            err.print(f"{n_documents:,} documents to read")

    def documents_done(self, n: int) -> None:
        self._n_done += n
        self._tell()

    def chunks_embedded(self, n: int) -> None:
        self._n_chunks += n
        self._tell()

    def _tell(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _REPORT_EVERY_S
            done = f"{self._n_done:,} of {self._n_documents:,} documents"
            err.print(f"{done}, {self._n_chunks:,} chunks embedded")


def progress() -> TerminalProgress | LineProgress:
    return TerminalProgress() if sys.stderr.isatty() else LineProgress()
