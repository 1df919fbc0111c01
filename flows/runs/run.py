"""A run while it goes on, and the record of it in the catalog."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from checks.balance import is_balanced, judge_run
from flows.alerts.events import Happening, publish
from flows.alerts.outbox import RUN_BUDGET_S, START_BUDGET_S
from flows.alerts.telling import RunEnd, deliver_pending, settle_alerts, tell_of_killed
from flows.errors import Interrupted, RunFailed
from flows.freshness.looks import record_freshness
from flows.metadata.verdicts import verdicts_of_run
from flows.runs.clock import StageClock, StageRecord
from flows.runs.gate import OPEN, Gate
from flows.runs.outages import persistently
from flows.runs.progress import Progress
from flows.runs.report import RunReport, Tally
from flows.runs.totals import totals_of
from flows.settings import Settings
from flows.source_settings import SourceSettings
from flows.tracing import stage_span, traced
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.erased import erased_uris
from index.catalog.history import add_totals
from index.catalog.runs import RunKind, RunState
from index.catalog.staleness import mark_stale
from index.errors import StoreUnavailable
from index.pacing import NOTHING_LEFT, Left
from index.plan import Expectation, Known, rules
from index.stores import Index
from parsers.reasons import Reason


@dataclass(frozen=True, slots=True)
class Figures:
    """What the catalog knows of a run."""

    lags: Sequence[float] = ()
    """Seconds from change to searchable, of each document that became so."""
    checks: Mapping[str, Any] = field(default_factory=dict)
    """See `flows.metadata.verdicts`."""
    lags_followed: Sequence[float] = ()
    """Of `lags`, those of changes since the source is followed."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What to try that the settings do not say."""

    passwords: tuple[str, ...] = field(default=(), repr=False)
    read_as: Callable[[str], str] = lambda uri: ""
    """Of a uri, the media type to take it for; empty if it is to say itself."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was done for a run in another process; can be pickled."""

    tally: Tally
    n_members: int
    """Documents that were found besides the listed ones, inside of them."""
    removed: tuple[Known, ...]
    retired: tuple[Known, ...]
    stages: Mapping[str, StageRecord]


@dataclass(slots=True)
class Run:
    """What a run works with, and what it has done so far."""

    id: str
    settings: Settings
    source: SourceSettings
    index: Index
    expected: Expectation
    progress: Progress
    kind: RunKind = RunKind.INGEST
    attempt: Attempt = Attempt()
    """What is different in it from what the settings say."""
    clock: StageClock = field(default_factory=lambda: StageClock(stage_span))
    gate: Gate = OPEN
    """What requests to the source wait at."""
    listed_at: datetime | None = None
    """When it began to list the source."""
    n_found: int = 0
    left: Left = NOTHING_LEFT
    """What it will not read for want of room."""
    took_over: Sequence[str] = ()
    """Runs of the same source that had been killed."""
    withheld: Sequence[str] = ()
    """Uris that the removal guard kept from being removed."""
    notes: Sequence[str] = ()
    """What else whoever runs it should know."""
    removed_members: list[Known] = field(default_factory=list)
    """Documents that their container no longer holds."""
    retired_members: list[Known] = field(default_factory=list)
    """Documents in containers that a rule excludes from now on."""
    erased: frozenset[str] = frozenset()
    """Uris of documents that are kept away, with all that they hold."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the run cannot go on."""
    _tally: Tally = field(default_factory=Tally)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def rule_against(self) -> Callable[[str], str]:
        """Of a uri, the rule that excludes it; empty if none does."""
        return rules(self.source.include, self.source.exclude, self.erased)

    def count(self, part: Tally, *, n_members: int = 0) -> None:
        """Add what a part of the run has done, and how many documents it found inside others."""
        with self._lock:
            self._tally = self._tally + part
            self.n_found += n_members
        self.progress.documents_done(part.outcomes.total())

    def part(self) -> Part:
        """What this has done, for the run in another process that it is a part of."""
        removed, retired = tuple(self.removed_members), tuple(self.retired_members)
        return Part(self._tally, self.n_found, removed, retired, self.clock.records())

    def add(self, part: Part) -> None:
        """Add what was done in another process, but for the time that it took."""
        self.count(part.tally, n_members=part.n_members)
        self.removed_members += part.removed
        self.retired_members += part.retired

    def check(self) -> None:
        """Raise `Interrupted` if the run is to stop."""
        if self.stop.is_set():
            raise Interrupted

    def embedded(self, n_chunks: int) -> None:
        """Told by the embedder; a place to stop at."""
        self.check()
        self.progress.chunks_embedded(n_chunks)

    def figures(self) -> Figures:
        """What the catalog knows of the run.

        Raises:
            StoreUnavailable: The catalog cannot be read.
        """
        with self.index.catalog.reading() as connection:
            return Figures(
                run_rows.lags(connection, self.id),
                verdicts_of_run(connection, self.id),
                run_rows.followed_lags(connection, self.id),
            )

    def report(self, figures: Figures, state: RunState | None = None, error: str = "") -> RunReport:
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
            stages=self.clock.records(),
            lags=figures.lags,
            lags_followed=figures.lags_followed,
            balanced=balanced,
            took_over=self.took_over,
            withheld=self.withheld,
            notes=self.notes,
            checks=figures.checks,
            error=error,
        )

    def end(self, report: RunReport, cause: BaseException | None = None) -> None:
        """Record how the run ended, and what people are to be told of it.

        Args:
            report: What came of it.
            cause: What ended it before its time.
        """
        now = datetime.now(UTC)
        with self.index.catalog.writing() as connection:
            before = run_rows.find_run(connection, self.id)
            run_rows.end_run(
                connection,
                self.id,
                report.state,
                now,
                report=report.as_json(),
                error=report.error or None,
            )
            # To read some documents again says nothing of the others.
            ended_well = report.state not in (RunState.FAILED, RunState.INTERRUPTED)
            if ended_well and self.kind is RunKind.INGEST:
                run_rows.mark_succeeded(connection, self.source.name, now, self.left)
            mark_stale(connection, self.source.name, now)
            record_freshness(connection, self.source.name, self.source.freshness.objective, now)
            # It may have been recorded, and only the answer to that been lost.
            if before is not None and before["ended_at"] is None:
                add_totals(connection, self.source.name, totals_of(report, self.kind))
            end = RunEnd(report, cause, self.kind)
            happened = settle_alerts(connection, self.settings, end, now)
        publish(happened)


current: ContextVar[Run] = ContextVar("current_run")
"""For tasks: what a run works with cannot be passed through Prefect's parameters."""


def traced_run(run: Run) -> AbstractContextManager[None]:
    """Have a run traced, if traces are wanted."""
    return traced(run.settings, run.kind.value, source=run.source.name, run_id=run.id)


@contextmanager
def recorded(run: Run, flow_run_id: str | None) -> Iterator[None]:
    """Keep the run's row in the catalog true, however the block ends.

    Raises:
        RunFailed: In place of whatever ended the block, which is its cause.
    """
    now = datetime.now(UTC)
    publish(persistently(lambda: _start(run, flow_run_id, now)))
    deliver_pending(run.index.catalog, run.settings, budget_s=START_BUDGET_S)
    try:
        yield
    except RunFailed:
        raise
    except BaseException as error:
        run.stop.set()
        raise _ended_by(run, error) from error
    finally:
        deliver_pending(run.index.catalog, run.settings, budget_s=RUN_BUDGET_S)


def _start(run: Run, flow_run_id: str | None, now: datetime) -> list[Happening]:
    with run.index.catalog.writing() as connection:
        quarantine.stop_retrying(connection, run.source.name, now)
        run.erased = erased_uris(connection, run.source.name)
        run.took_over = run_rows.start_run(
            connection,
            run_id=run.id,
            source=run.source.name,
            root=run.source.uri,
            flow_run_id=flow_run_id,
            now=now,
            kind=run.kind,
        )
        return tell_of_killed(connection, run.settings, run.source.name, run.took_over, now)


def _ended_by(run: Run, error: BaseException) -> RunFailed:
    interrupted = isinstance(error, KeyboardInterrupt | Interrupted)
    state = RunState.INTERRUPTED if interrupted else RunState.FAILED
    said = "interrupted" if interrupted else (str(error) or type(error).__name__).splitlines()[0]
    code: Reason | None = getattr(error, "code", None)
    report = replace(run.report(Figures(), state, said), code=code)
    with suppress(StoreUnavailable):  # It may be what ended the run; its successor notes that.
        report = replace(run.report(run.figures(), state, said), code=code)
        run.end(report, error)
    return RunFailed(report)
