"""Batches of a run on another machine, as a worker there does them.

It opens the stores that the settings name, and keeps them open for the next batch of the run. What
it has done it returns, and the run adds that up.
"""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from flows.errors import Interrupted, UsageError
from flows.runs.batch import Workshop
from flows.runs.batch_work import index_documents
from flows.runs.lease import batch_lease
from flows.runs.progress import Silent
from flows.runs.run import Part, Run
from flows.runs.workshop import open_workshop
from flows.settings import Settings
from flows.source_settings import SourceSettings
from flows.wiring import make_expectation, make_gate, open_stores, text_store
from index.catalog import runs as run_rows
from index.catalog.runs import RunState
from index.plan import Known, Listed
from index.stores import Index


@dataclass(frozen=True, slots=True)
class Errand:
    """What a worker has to know of a run; can be pickled."""

    settings: Mapping[str, Any] = field(repr=False)
    """By name; the URLs of stores may hold passwords."""
    source: SourceSettings
    run_id: str
    listed_at: datetime | None
    erased: frozenset[str]
    generations: frozenset[str]
    """Those that are kept up to date."""


def do_errand(errand: Errand, batch: Sequence[Listed], known: Mapping[str, Known]) -> Part:
    """Make a batch of documents searchable.

    Raises:
        Interrupted: The run is over.
        UsageError: This worker does not see the texts that the run sees.
        LeaseHeld: Somebody else writes to the source.
    """
    with _benches.at(errand) as bench:
        index = bench.workshop.index
        with batch_lease(bench.settings, index.catalog, errand.source.name):
            # Only while nobody else can have taken the source over: see `await_batches`.
            with index.catalog.reading() as connection:
                row = run_rows.find_run(connection, errand.run_id)
            if row is None or row["state"] != RunState.RUNNING:
                raise Interrupted
            mine = _run_of(errand, bench.settings, index)
            index_documents(mine, replace(bench.workshop, clock=mine.clock), batch, known)
            return mine.part()


def _run_of(errand: Errand, settings: Settings, index: Index) -> Run:
    """What a worker has of the run: it begins with nothing done."""
    expected = make_expectation(settings, errand.source)
    run = Run(errand.run_id, settings, errand.source, index, expected, Silent())
    run.listed_at, run.erased = errand.listed_at, errand.erased
    run.gate = make_gate(errand.source)
    return run


@dataclass(slots=True)
class _Bench:
    """What a worker has open for a run."""

    workshop: Workshop
    settings: Settings
    held: ExitStack
    n_users: int = 0


class _Benches:
    """Of the runs that this process works for, or did last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, _Bench] = {}

    @contextmanager
    def at(self, errand: Errand) -> Iterator[_Bench]:
        with self._lock:
            self._close_idle(but=errand.run_id)
            if errand.run_id not in self._open:
                self._open[errand.run_id] = _set_up(errand)
            bench = self._open[errand.run_id]
            bench.n_users += 1
        try:
            yield bench
        finally:
            with self._lock:
                bench.n_users -= 1

    def _close_idle(self, but: str) -> None:
        for run_id, bench in list(self._open.items()):
            if run_id != but and not bench.n_users:
                del self._open[run_id]
                bench.held.close()


_benches: Final = _Benches()


def _set_up(errand: Errand) -> _Bench:
    settings = Settings.model_construct(**errand.settings)
    if not text_store(settings).is_marked(mark_of(errand.run_id)):
        where = settings.texts_url or settings.state_dir / "texts"
        raise UsageError(
            f"the worker on {socket.gethostname()} does not see what the run writes to {where}: "
            "share that folder with all workers, or set texts_url to what they all reach"
        )
    with ExitStack() as held:
        index = held.enter_context(open_stores(settings))
        if {target.generation.id for target in index.targets} != errand.generations:
            raise Interrupted  # The run has lost its lease, and others have gone on.
        workshop = held.enter_context(open_workshop(_run_of(errand, settings, index)))
        return _Bench(workshop, settings, held.pop_all())


def mark_of(run_id: str) -> str:
    """What a run leaves with the texts, by which workers find out whether they see them."""
    return f"run-{run_id}"
