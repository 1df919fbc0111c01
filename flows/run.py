"""A run while it goes on, and the record of it in the catalog."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

from checks.balance import is_balanced, judge_run
from flows.clock import StageClock
from flows.errors import Interrupted, RunFailed
from flows.outages import persistently
from flows.progress import Progress
from flows.report import RunReport, Tally
from flows.settings import Settings, SourceSettings
from index.catalog import runs as run_rows
from index.catalog.runs import RunState
from index.errors import StoreUnavailable
from index.plan import Expectation, Known
from index.stores import Index


@dataclass(slots=True)
class Run:
    """What a run works with, and what it has done so far."""

    id: str
    settings: Settings
    source: SourceSettings
    index: Index
    expected: Expectation
    progress: Progress
    clock: StageClock = field(default_factory=StageClock)
    n_found: int = 0
    took_over: Sequence[str] = ()
    """Runs of the same source that had been killed."""
    withheld: Sequence[str] = ()
    """Uris that the removal guard kept from being removed."""
    removed_members: list[Known] = field(default_factory=list)
    """Documents that their container no longer holds."""
    retired_members: list[Known] = field(default_factory=list)
    """Documents in containers that a rule excludes from now on."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the run cannot go on."""
    _tally: Tally = field(default_factory=Tally)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, part: Tally, *, n_members: int = 0) -> None:
        """Add what a part of the run has done, and how many documents it found inside others."""
        with self._lock:
            self._tally = self._tally + part
            self.n_found += n_members
        self.progress.documents_done(part.outcomes.total())

    def check(self) -> None:
        """Raise `Interrupted` if the run is to stop."""
        if self.stop.is_set():
            raise Interrupted

    def embedded(self, n_chunks: int) -> None:
        """Told by the embedder; a place to stop at."""
        self.check()
        self.progress.chunks_embedded(n_chunks)

    def lags(self) -> Sequence[float]:
        """Seconds from change to searchable, of each document that became so.

        Raises:
            StoreUnavailable: The catalog cannot be read.
        """
        with self.index.catalog.reading() as connection:
            return run_rows.lags(connection, self.id)

    def report(
        self, lags: Sequence[float], state: RunState | None = None, error: str = ""
    ) -> RunReport:
        """The report as of now; the state is judged by the balance if it is not given."""
        with self._lock:
            tally = self._tally
        balanced = is_balanced(self.n_found, tally.outcomes)
        if state is None:
            state = judge_run(
                balanced=balanced, guarded=bool(self.withheld), outcomes=tally.outcomes
            )
        return RunReport(
            run_id=self.id,
            source=self.source.name,
            state=state,
            n_found=self.n_found,
            tally=tally,
            seconds=self.clock.seconds(),
            lags=lags,
            balanced=balanced,
            took_over=self.took_over,
            withheld=self.withheld,
            error=error,
        )

    def end(self, report: RunReport) -> None:
        """Record how the run ended."""
        now = datetime.now(UTC)
        with self.index.catalog.writing() as connection:
            run_rows.end_run(
                connection,
                self.id,
                report.state,
                now,
                report=report.as_json(),
                error=report.error or None,
            )
            if report.state not in (RunState.FAILED, RunState.INTERRUPTED):
                run_rows.mark_succeeded(connection, self.source.name, now)


current: ContextVar[Run] = ContextVar("current_run")
"""For tasks: what a run works with cannot be passed through Prefect's parameters."""


@contextmanager
def recorded(run: Run, flow_run_id: str | None) -> Iterator[None]:
    """Keep the run's row in the catalog true, however the block ends.

    Raises:
        RunFailed: In place of whatever ended the block, which is its cause.
    """
    now = datetime.now(UTC)
    run.took_over = persistently(lambda: _start(run, flow_run_id, now))
    try:
        yield
    except RunFailed:
        raise
    except BaseException as error:
        run.stop.set()
        raise _ended_by(run, error) from error


def _start(run: Run, flow_run_id: str | None, now: datetime) -> list[str]:
    with run.index.catalog.writing() as connection:
        return run_rows.start_run(
            connection,
            run_id=run.id,
            source=run.source.name,
            root=run.source.uri,
            flow_run_id=flow_run_id,
            now=now,
        )


def _ended_by(run: Run, error: BaseException) -> RunFailed:
    interrupted = isinstance(error, KeyboardInterrupt | Interrupted)
    state = RunState.INTERRUPTED if interrupted else RunState.FAILED
    said = "interrupted" if interrupted else (str(error) or type(error).__name__).splitlines()[0]
    report = run.report((), state, said)
    with suppress(StoreUnavailable):  # It may be what ended the run; its successor notes that.
        report = run.report(run.lags(), state, said)
        run.end(report)
    return RunFailed(report)
