"""A month in the life of sources, by a clock of its own, against tables written by hand."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from checks.freshness import Objective
from flows.freshness.looks import record_freshness
from flows.freshness.sources import SourceFreshness, read_freshness
from index.catalog import history, quarantine, tables
from index.catalog import runs as run_rows
from index.catalog.database import Catalog
from index.catalog.documents import Seen, save_seen
from index.catalog.quarantine import Failed
from index.catalog.runs import DocumentOutcome, RunKind, RunState
from index.catalog.staleness import mark_stale
from index.plan import Outcome
from parsers.reasons import Reason

START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OBJECTIVE = Objective(warn_after=2 * HOUR, error_after=24 * HOUR)


def day(number: float) -> datetime:
    return START + number * DAY


class Simulation:
    """Writes what runs over one source would, at times of its choosing."""

    def __init__(self, catalog: Catalog, source: str = "handbook") -> None:
        self.catalog, self.source, self.n_runs = catalog, source, 0

    def run(
        self,
        at: datetime,
        *,
        took: timedelta = HOUR / 60,
        reaches: bool = True,
        state: RunState = RunState.COMPLETED,
        kind: RunKind = RunKind.INGEST,
        changed: dict[str, datetime] | None = None,
        broken: dict[str, datetime | None] | None = None,
    ) -> None:
        """One run: it starts, lists if the source answers, works, and ends."""
        self.n_runs += 1
        run_id, ended = f"{self.source}{self.n_runs:026}", at + took
        with self.catalog.writing() as connection:
            run_rows.start_run(
                connection, run_id=run_id, source=self.source, root="/", flow_run_id=None,
                now=at, kind=kind,
            )  # fmt: skip
            if reaches and kind is RunKind.INGEST:
                run_rows.mark_checked(connection, self.source, at)
            for uri, modified in (changed or {}).items():
                self._publish(connection, run_id, uri, modified, ended)
            for uri, lost in (broken or {}).items():
                self._break(connection, uri, lost, ended)
            ended_state = state if reaches else RunState.FAILED
            run_rows.end_run(connection, run_id, ended_state, ended)
            if ended_state is RunState.COMPLETED and kind is RunKind.INGEST:
                run_rows.mark_succeeded(connection, self.source, ended)
            mark_stale(connection, self.source, ended)
            record_freshness(connection, self.source, OBJECTIVE, ended)

    def runs(self, first: datetime, last: datetime, every: timedelta, **options: bool) -> None:
        while first <= last:
            self.run(first, **options)
            first += every

    def look(self, at: datetime) -> SourceFreshness:
        with self.catalog.reading() as connection:
            return read_freshness(connection, self.source, OBJECTIVE, at)

    def clean(self, at: datetime) -> None:
        with self.catalog.writing() as connection:
            history.thin(connection, at)

    def _seen(self, uri: str, modified: datetime | None, sha256: str) -> Seen:
        key = f"{self.source}/{uri}".ljust(32, "0")
        return Seen(key, self.source, uri, "t", True, 1, modified, sha256, "text/plain", "p")

    def _publish(
        self, connection: sa.Connection, run_id: str, uri: str, modified: datetime, now: datetime
    ) -> None:
        seen = self._seen(uri, modified, "good")
        save_seen(connection, [seen], Outcome.INDEXED, now)
        version = connection.scalar(
            sa.insert(tables.version).values(
                version_id="v", document_id=seen.document_id, sha256="good", text_key="",
                media_type="", parser="", parser_version="", title="", language="", properties={},
                problems=[], source_modified_at=modified, run_id=run_id, indexed_at=now,
            ).returning(tables.version.c.id)
        )  # fmt: skip
        this = tables.document.c.id == seen.document_id
        update = sa.update(tables.document).where(this)
        connection.execute(update.values(current_version=version))
        quarantine.resolve(connection, [seen.document_id], "indexed", now)
        lag = (now - modified).total_seconds()
        outcome = DocumentOutcome(seen.document_id, uri, "indexed", None, None, lag, modified)
        run_rows.record_outcomes(connection, run_id, [outcome])

    def _break(
        self, connection: sa.Connection, uri: str, modified: datetime | None, now: datetime
    ) -> None:
        seen = self._seen(uri, modified, "bad")
        save_seen(connection, [seen], Outcome.QUARANTINED, now)
        failed = Failed(seen.document_id, self.source, uri, "bad", Reason.CORRUPT, "x", "parse")
        quarantine.record_failures(connection, [failed], now)


@pytest.fixture
def catalog(tmp_path):
    made = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield made
    made.close()


@pytest.fixture
def simulation(catalog: Catalog) -> Simulation:
    return Simulation(catalog)


@pytest.mark.proof
def test_a_month_of_outages_late_runs_and_a_broken_document(simulation):
    plan = [
        # Runs, every hour, until what is published at a moment is looked at.
        # when                  state      stale for  waits for  to the breach (hours)
        (day(0) - HOUR,         "unknown", None,      None,      None),
        "first",
        (day(0) + HOUR / 2,     "fresh",   0.5,       None,      23.5),
        ("runs", day(0) + HOUR, day(5)),  # Quiet: nothing changes, and we look every hour.
        (day(5) + HOUR / 2,     "fresh",   0.5,       None,      23.5),
        ("away", day(5) + HOUR, day(5) + 2 * HOUR),
        (day(5) + 2.5 * HOUR,   "unknown", 2.5,       None,      21.5),
        ("away", day(5) + 3 * HOUR, day(5) + 23 * HOUR),
        (day(5) + 23.5 * HOUR,  "unknown", 23.5,      None,      0.5),
        ("away", day(6), day(6)),
        (day(6) + 0.5 * HOUR,   "error",   24.5,      None,      -0.5),
        ("away", day(6) + HOUR, day(7)),
        (day(7) + 0.5 * HOUR,   "error",   48.5,      None,      -24.5),
        ("runs", day(7) + HOUR, day(10)),
        (day(10) + 1.5 * HOUR,  "fresh",   1.5,       None,      22.5),
        (day(10) + 3 * HOUR,    "warning", 3,         None,      21),  # The schedule stands still.
        ("runs", day(10) + 9 * HOUR, day(12)),
        (day(12) + HOUR / 2,    "fresh",   0.5,       None,      23.5),
        "spoilt",  # At one o'clock, by a change that was made at midnight.
        (day(12) + 1.5 * HOUR,  "fresh",   1.5,       1.5,       22.5),
        ("runs", day(12) + 2 * HOUR, day(12) + 5 * HOUR),
        (day(12) + 5.5 * HOUR,  "warning", 5.5,       5.5,       18.5),
        "retried",  # In vain, and by itself: that is no look at the source.
        ("runs", day(12) + 6 * HOUR, day(14)),
        (day(14) + 0.5 * HOUR,  "error",   48.5,      48.5,      -24.5),
        "mended",
        (day(14) + 1.5 * HOUR,  "fresh",   0.5,       None,      23.5),
        ("runs", day(14) + 2 * HOUR, day(20)),
        (day(20) + 25 * HOUR,   "error",   25,        None,      -1),  # All is still.
        "reprocessed",  # An old document; the source is looked at by nobody.
        (day(21) + 2 * HOUR,    "error",   26,        None,      -2),
        ("runs", day(21) + 3 * HOUR, day(30)),
    ]  # fmt: skip
    steps = {
        "first": lambda: simulation.run(day(0), changed={"a.md": day(-1)}),
        "spoilt": lambda: simulation.run(day(12) + HOUR, broken={"a.md": day(12)}),
        "retried": lambda: simulation.run(day(12) + 5.6 * HOUR, kind=RunKind.REPROCESS),
        "mended": lambda: simulation.run(day(14) + HOUR, changed={"a.md": day(14) + HOUR / 2}),
        "reprocessed": lambda: simulation.run(
            day(21) + 1.5 * HOUR, kind=RunKind.REPROCESS, changed={"b.md": day(2)}
        ),
    }
    for step in plan:
        if isinstance(step, str):
            steps[step]()
        elif step[0] in ("runs", "away"):
            simulation.runs(step[1], step[2], HOUR, reaches=step[0] == "runs")
        else:
            when, *expected = step
            assert published(simulation, when) == pytest.approx(expected), when
    budget = simulation.look(day(30)).budget
    # Away: unknown from the first check that failed, an error from the 24th hour on until the next
    # run; then the broken document from midnight of the 13th day until it is mended; then the rest.
    outside = 25 + 25 + 3 - 2 / 60
    assert budget.spans.outside_s / 3600 == pytest.approx(outside, abs=0.1)
    assert budget.spans.unknown_s / 3600 == pytest.approx(23, abs=0.1)
    assert budget.spans.total_s == pytest.approx(30 * 24 * 3600, abs=100)
    before = budget.spans
    simulation.clean(day(30))
    thinned = simulation.look(day(30)).budget.spans
    assert thinned.within_s == pytest.approx(before.within_s)
    assert thinned.outside_s == pytest.approx(before.outside_s)
    assert thinned.unknown_s == pytest.approx(before.unknown_s)


def published(simulation: Simulation, at: datetime) -> list[str | float | None]:
    """State, and in hours how stale it is, what waits, and the time to the breach."""
    found = simulation.look(at)
    spans = (found.stale_for_s, found.waiting_for_s, found.breach_in_s)
    return [found.state.value, *(None if one is None else one / 3600 for one in spans)]


def test_a_source_that_was_never_reached_is_unknown_for_ever(simulation):
    simulation.runs(day(0), day(9), DAY / 2, reaches=False)
    assert published(simulation, day(9.5)) == ["unknown", None, None, None]
    found = simulation.look(day(10))
    assert found.clocks.check_failed
    assert found.budget.share_within == 0


def test_a_source_that_nobody_ever_asked_is_unknown(simulation):
    assert published(simulation, day(0)) == ["unknown", None, None, None]
    assert simulation.look(day(0)).budget.share_within is None


def test_a_long_run_is_as_old_as_its_listing(simulation):
    simulation.run(day(0), took=5 * HOUR)
    assert published(simulation, day(0) + 5 * HOUR) == ["warning", 5, None, 19]


def test_a_run_that_lists_and_then_fails_makes_nothing_fresh(simulation):
    simulation.run(day(0))
    simulation.run(day(1) - HOUR, state=RunState.FAILED)
    assert published(simulation, day(1)) == ["warning", 24, None, 0]
    assert simulation.look(day(1)).clocks.last_check == day(1) - HOUR


def test_a_new_document_that_cannot_be_read_makes_nothing_stale(simulation):
    simulation.run(day(0), broken={"new.pdf": day(-300)})
    assert published(simulation, day(0) + HOUR) == ["fresh", 1, None, 23]


def test_an_ignored_document_is_counted_and_alarms_nobody(simulation):
    simulation.run(day(0), changed={"a.md": day(-1)})
    simulation.run(day(1), broken={"a.md": day(0.5)})
    with simulation.catalog.writing() as connection:
        entries = quarantine.unresolved(connection)
        state = quarantine.EntryState.IGNORED
        quarantine.move(connection, entries, state, who="ann", why="known", now=day(1))
    found = simulation.look(day(1) + HOUR)
    assert (found.state, found.n_stale) == ("fresh", 1)


@pytest.mark.parametrize(
    ("modified", "waits_since"),
    [
        (day(1) - HOUR, day(1) - HOUR),
        (None, day(1) + HOUR / 60),  # No time: since it was found.
        (day(9), day(1) + HOUR / 60),  # In the future.
        (day(-1), day(1) + HOUR / 60),  # As before: only unreadable now.
        (day(-90), day(1) + HOUR / 60),  # Before the version that was good: a copy of an old file.
    ],
)
def test_since_when_a_document_is_stale(simulation, modified, waits_since):
    simulation.run(day(0), changed={"a.md": day(-1)})
    simulation.run(day(1), broken={"a.md": modified})
    assert simulation.look(day(1.5)).clocks.oldest_change_waiting == waits_since
    simulation.run(day(2), broken={"a.md": modified})
    assert simulation.look(day(2.5)).clocks.oldest_change_waiting == waits_since


def test_a_modification_time_in_the_future_is_named_and_hides_nothing(simulation):
    simulation.run(day(0), changed={"a.md": day(-1), "b.md": day(0) - HOUR})
    simulation.run(day(1), changed={"late.md": day(40)})
    found = simulation.look(day(1) + HOUR)
    assert (found.skew.n_documents, found.skew.uris) == (1, ("late.md",))
    assert found.skew.furthest == day(40)
    assert found.clocks.newest_change_seen == day(0) - HOUR
    assert found.clocks.newest_change_searchable == day(0) - HOUR


def test_lags_are_of_changes_since_the_source_is_followed(simulation):
    simulation.run(day(0), changed={"old.md": day(-900)})
    changed = {f"{n}.md": day(1) - n * HOUR for n in (1, 2, 3, 30)}
    simulation.run(day(2) - HOUR / 60, changed=changed | {"30.md": day(0.5)})
    lags = simulation.look(day(2)).lags
    assert (lags.n_changes, lags.n_backlog) == (4, 1)
    assert lags.seconds is not None
    hours = [one / 3600 for one in (lags.seconds.p50, lags.seconds.p95, lags.seconds.max)]
    assert hours == [26, 36, 36]
    assert simulation.look(day(2)).share_within == 0
    assert simulation.look(day(12)).lags.seconds is None


def test_late_changes_count_against_the_share_although_nothing_became_of_them(simulation):
    simulation.run(day(0), changed={"a.md": day(-1)})
    simulation.run(day(1), changed={"b.md": day(1) - HOUR})
    simulation.run(day(1) + HOUR, broken={"a.md": day(1)})
    assert simulation.look(day(1.5)).share_within == 1
    assert simulation.look(day(3)).share_within == pytest.approx(0.5)
