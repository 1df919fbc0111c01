"""From what a run did, and what the catalog knows, to alerts in the outbox.

Everything here happens in the transaction that records what is told: what is in the catalog is in
the outbox, whatever ends the process.
"""

import socket
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.engine import Connection

from checks import alert_texts
from checks.alerts import Condition, Kind, Step, decide, letters
from checks.corpus import SHARE_QUARANTINED, Verdict
from checks.freshness import FreshnessState, judge_freshness, staleness
from flows.alerts import events
from flows.alerts.events import Happening
from flows.alerts.outbox import deliver
from flows.errors import CheckFailed, UserError
from flows.freshness.sources import read_clocks
from flows.runs.fetched import SourceUnreadable
from flows.runs.report import RunReport
from flows.settings import Settings
from index.catalog import alerts as alert_rows
from index.catalog import quarantine
from index.catalog.alerts import Alert, Key, Severity
from index.catalog.database import Catalog
from index.catalog.measures import measures_of
from index.catalog.runs import RunKind, RunState
from index.embedding import ModelUnusable
from index.errors import StoreUnavailable
from index.plan import Outcome
from index.reconciling import Reconciliation

_OF_RUNS: Final = (Kind.RUN, Kind.REMOVAL_GUARD, Kind.CORPUS_CHECK, Kind.SOURCE_UNAVAILABLE)
"""What a run that came to its end has looked at."""
OUTAGE_FILE: Final = "outage-told"
"""In the state directory: the catalog was away, and people were told without it."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended."""

    report: RunReport
    cause: BaseException | None = None
    """What ended it before its time."""
    kind: RunKind = RunKind.INGEST


def settle_alerts(
    connection: Connection, settings: Settings, end: RunEnd, now: datetime
) -> list[Happening]:
    """Start, repeat and end alerts by how a run ended.

    Args:
        connection: Of the transaction that records the end of the run.
        settings: With whom to tell.
        end: How it ended.
        now: The time.

    Returns:
        What to publish once the transaction is committed.
    """
    report = end.report
    _remember_outage(connection, settings, now)
    on = alert_rows.alerts_on(connection, to_change=True)
    fresh, judged = _freshness(connection, settings, on, now)
    bad, new = _quarantine(connection, settings, report, on)
    ended = [*_of_run(end), *_out_of_bounds(connection, report)]
    conditions = [*ended, *bad, *fresh]
    judged.add(Key(Kind.QUARANTINE, report.source))
    if end.cause is None and end.kind is RunKind.INGEST:
        judged |= {Key(kind, report.source) for kind in _OF_RUNS}
        judged.add(Key(Kind.STORE_UNAVAILABLE, ""))
    steps = tell(connection, settings, conditions, judged, now, run_id=report.run_id)
    return [*_of_report(end, ended), *new, *(events.of_alert(step) for step in steps)]


def tell(
    connection: Connection,
    settings: Settings,
    conditions: Sequence[Condition],
    judged: Collection[Key],
    now: datetime,
    *,
    run_id: str = "",
) -> list[Step]:
    """Remember what is true now, and put into the outbox whatever is to be told of it.

    Args:
        connection: Of a writing transaction.
        settings: With whom to tell.
        conditions: What is true now.
        judged: What was looked at: an alert among these ends if it has no condition.
        now: The time.
        run_id: Of the run that found this out, if one did.
    """
    on = alert_rows.alerts_on(connection, to_change=True)
    repeat_after = settings.alerts.repeat_after
    steps = decide(conditions, on, judged, now, repeat_after=repeat_after)
    for step in steps:
        alert_rows.save_alert(connection, step.alert)
    footer = _footer(settings, run_id)
    alert_rows.post(connection, letters(steps, settings.alerts.routes, footer), now)
    return steps


def _footer(settings: Settings, run_id: str) -> str:
    where = f"On {socket.gethostname()}; add --state {settings.state_dir} to the commands."
    return f"{where} Run {run_id}." if run_id else where


def _of_run(end: RunEnd) -> list[Condition]:
    report, cause = end.report, end.cause
    if report.state is RunState.INTERRUPTED:
        return [alert_texts.run_interrupted(report.source, killed=False)]
    if cause is not None:  # A number that stopped the run is told with the other numbers.
        return [] if isinstance(cause, CheckFailed) else [of_error(report.source, cause)]
    if report.withheld:
        return [alert_texts.removal_withheld(report.source, report.withheld)]
    if not report.balanced:
        said = "The outcomes of the documents do not add up to those found."
        return [alert_texts.run_failed(report.source, said)]
    return []


def _out_of_bounds(connection: Connection, report: RunReport) -> list[Condition]:
    """The numbers of the whole run that are not as they should be.

    A large share in quarantine is told by the digest of it, unless the run is failed for it.
    """
    told = [
        one
        for one in measures_of(connection, report.run_id)
        if one.verdict == Verdict.FAILED
        or (one.verdict == Verdict.WARNING and one.name != SHARE_QUARANTINED)
    ]
    return [alert_texts.out_of_bounds(report.source, told)] if told else []


def of_error(source: str, error: BaseException) -> Condition:
    """What it means that a run was ended by this."""
    if isinstance(error, StoreUnavailable):
        return alert_texts.store_unavailable(error.detail, error.remedy)
    if isinstance(error, SourceUnreadable):
        return alert_texts.source_unavailable(source, str(error))
    if isinstance(error, UserError | ModelUnusable):
        return alert_texts.run_failed(source, str(error))
    # What a defect says may hold words of a document.
    name = type(error).__name__
    return alert_texts.run_failed(source, f"A defect ({name}); Prefect has the traceback.")


def _quarantine(
    connection: Connection, settings: Settings, report: RunReport, on: dict[Key, Alert]
) -> tuple[list[Condition], list[Happening]]:
    """The digest of a source's quarantine, and the event if there is something new in it."""
    source = report.source
    everything = quarantine.digest(connection, source)
    if not everything.n_entries:
        return [], []
    before = on.get(Key(Kind.QUARANTINE, source))
    new = quarantine.digest(connection, source, since=before.told_until if before else None)
    condition = alert_texts.quarantined(
        source,
        new,
        everything,
        share=_share_quarantined(report),
        max_share=settings.alerts.max_quarantined_share,
    )
    if not new.n_entries:
        return [condition], []
    return [condition], [events.quarantined(source, report.run_id, new, everything.n_entries)]


def _share_quarantined(report: RunReport) -> float | None:
    if not report.balanced or not report.n_found:
        return None
    return report.tally.outcomes[Outcome.QUARANTINED] / report.n_found


def _freshness(
    connection: Connection, settings: Settings, on: Collection[Key], now: datetime
) -> tuple[list[Condition], set[Key]]:
    """What is stale, and what was looked at: all configured sources that were ever read."""
    conditions = []
    names = {source.name for source in settings.sources}
    judged = {key for key in on if key.kind == Kind.FRESHNESS and key.source not in names}
    for source in settings.sources:
        objective = source.freshness.objective
        clocks = read_clocks(connection, source.name, now)
        state, age = judge_freshness(clocks, now, objective), staleness(clocks, now)
        if state is FreshnessState.UNKNOWN or age is None:
            continue
        judged.add(Key(Kind.FRESHNESS, source.name))
        if state is not FreshnessState.FRESH:
            conditions.append(alert_texts.stale(source.name, state, age, objective))
    return conditions, judged


def _of_report(end: RunEnd, ended: Sequence[Condition]) -> list[Happening]:
    report = end.report
    if report.state in (RunState.FAILED, RunState.INTERRUPTED):
        said = ended[0].summary if ended else ""
        return [events.failed(report.source, report.run_id, report.state, said)]
    return [events.refreshed(report)] if end.kind is RunKind.INGEST else []


def settle_freshness(catalog: Catalog, settings: Settings, now: datetime) -> None:
    """Start, repeat and end alerts of sources that nothing was heard of for too long."""
    with catalog.writing() as connection:
        on = alert_rows.alerts_on(connection, to_change=True)
        conditions, judged = _freshness(connection, settings, on, now)
        steps = tell(connection, settings, conditions, judged, now)
    events.publish(events.of_alert(step) for step in steps)


def settle_drift(
    catalog: Catalog, settings: Settings, found: Sequence[Reconciliation], now: datetime
) -> None:
    """Start, repeat or end the alert of a vector store that is not what the catalog says."""
    faults: Counter[str] = Counter()
    for one in found:
        faults.update({fault.value: n for fault, n in one.faults.items()})
    n_mended = sum(one.n_repaired for one in found)
    conditions = [alert_texts.drifted(faults, n_mended=n_mended)] if faults else []
    with catalog.writing() as connection:
        steps = tell(connection, settings, conditions, {Key(Kind.DRIFT, "")}, now)
    events.publish(events.of_alert(step) for step in steps)


def tell_of_killed(
    connection: Connection, settings: Settings, source: str, run_ids: Sequence[str], now: datetime
) -> list[Happening]:
    """Tell of runs over a source that were killed, as their successor finds out.

    Returns:
        What to publish once the transaction is committed.
    """
    if not run_ids:
        return []
    killed = alert_texts.run_interrupted(source, killed=True)
    steps = tell(connection, settings, [killed], (), now, run_id=run_ids[0])
    ended = [
        events.failed(source, run_id, RunState.INTERRUPTED, killed.summary) for run_id in run_ids
    ]
    return ended + [events.of_alert(step) for step in steps]


def deliver_pending(catalog: Catalog, settings: Settings, *, budget_s: float) -> None:
    """Send what is due; what cannot be sent, or not be marked as sent, is for the next time."""
    with suppress(StoreUnavailable):
        deliver(catalog, settings.alerts.everyone, budget_s=budget_s)


def _remember_outage(connection: Connection, settings: Settings, now: datetime) -> None:
    """Have an outage that was told of without the catalog be an alert that is on."""
    file = settings.state_dir / OUTAGE_FILE
    if not file.is_file():
        return
    since = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    condition = alert_texts.store_unavailable("", "")
    alert = Alert(condition.key, Severity.ERROR, condition.summary, since, now)
    alert_rows.save_alert(connection, alert)
    file.unlink()
