"""The flow that makes the index follow a source.

scan → plan → batches (prepare, embed, publish) → remove → settle
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from checks.balance import trips_removal_guard
from flows.alerts.heartbeat import beat
from flows.alerts.outages import outages_told
from flows.errors import RunFailed
from flows.freshness.artifacts import publish_freshness
from flows.metadata.corpus_checks import check_corpus, check_listing
from flows.metadata.sidecars import attach, counted_as
from flows.models import why_not_faster
from flows.runs.batch_work import as_still_quarantined, rule_on_member
from flows.runs.clock import Amounts
from flows.runs.conversations import gather
from flows.runs.elsewhere import require_remote_stores
from flows.runs.indexing import PARALLEL_BATCHES, read_changed, retire_in_batches
from flows.runs.lease import await_batches, is_shared, source_lease
from flows.runs.outages import persistently
from flows.runs.progress import watching
from flows.runs.report import RunReport, Tally, as_markdown
from flows.runs.run import Run, current, recorded, traced_run
from flows.runs.selection import select_source
from flows.runs.sources import list_source
from flows.runs.steps import STEP
from flows.runs.withdrawal import withdraw_unreadable
from flows.settings import Settings, load_settings
from flows.wiring import (
    make_expectation,
    make_gate,
    make_state_dir,
    open_catalog,
    open_index,
    wanted_generation,
)
from index.catalog import documents as document_rows
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.runs import RunState
from index.converging import recover
from index.pacing import paced, what_is_left
from index.plan import Known, Listed, Outcome, Plan, make_plan
from index.stores import Index


def _flow_run_name() -> str:
    return f"ingest {Path(str(flow_run.parameters['source'])).name}"


@flow(
    name="ingest",
    description="Make the index follow a source.",
    flow_run_name=_flow_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=PARALLEL_BATCHES),  # type: ignore[arg-type]
)
def ingest(
    source: str,
    config: str | None = None,
    state: str | None = None,
    *,
    verify: bool = False,
    allow_removal: bool = False,
    wait_s: float = 0,
) -> dict[str, Any]:
    """Run once over a source.

    Args:
        source: The name of a configured source, or a folder, a file or an fsspec URL.
        config: The settings file; `headwater.toml` in the working directory if None.
        state: The state directory, in place of the one in the settings.
        verify: Read all bytes, even where the listing says that nothing changed.
        allow_removal: Remove what is gone, however much of the source that is.
        wait_s: How long to wait for another process that writes.

    Returns:
        The report, as `headwater ingest --json` prints it.

    Raises:
        UserError: The arguments, the settings or the state directory are at fault.
        RunFailed: The run ended as `failed` or `interrupted`; it carries the report.
    """
    # Prefect has this function pickled by value for workers elsewhere, and so what it names.
    return _ingest(source, config, state, verify=verify, allow_removal=allow_removal, wait_s=wait_s)


def _ingest(
    source: str,
    config: str | None,
    state: str | None,
    *,
    verify: bool,
    allow_removal: bool,
    wait_s: float,
) -> dict[str, Any]:
    settings = load_settings(Path(config) if config else None, Path(state) if state else None)
    require_remote_stores(settings)
    make_state_dir(settings)
    with outages_told(settings, source), open_catalog(settings) as catalog:
        chosen = select_source(settings, catalog, source)
        with (
            source_lease(settings, catalog, chosen.name, wait_s=wait_s),
            open_index(settings, catalog) as index,
        ):
            expected = make_expectation(settings, chosen)
            run = Run(uuid.uuid4().hex, settings, chosen, index, expected, watching.get())
            run.notes = _notes(settings, index)
            run.gate = make_gate(chosen)
            return _run(run, verify=verify, allow_removal=allow_removal)


def _notes(settings: Settings, index: Index) -> list[str]:
    known = [target.generation for target in index.targets]
    wanted = wanted_generation(settings, known)
    slow = why_not_faster(settings)
    notes = [f"the model is not run in eight bits: {slow}"] if slow else []
    if wanted.id in {one.id for one in known}:
        return notes
    return [
        *notes,
        f"the settings ask for another generation, {wanted.model} with {wanted.chunker}: "
        "headwater generation build, then promote; until then the one that is live is kept up",
    ]


def _run(run: Run, *, verify: bool, allow_removal: bool) -> dict[str, Any]:
    token = current.set(run)
    try:
        with traced_run(run), recorded(run, flow_run.id):
            _follow_source(run, verify=verify, allow_removal=allow_removal)
            return _settle(run).as_json()
    finally:
        current.reset(token)


def _follow_source(run: Run, *, verify: bool, allow_removal: bool) -> None:
    await_batches(run.settings, run.index.catalog, run.source.name)
    _finish_what_was_begun(run)
    with run.clock.stage("scan"):
        listing = scan(run.source.name)
        persistently(lambda: check_listing(run, listing, may_shrink=allow_removal))
        known = persistently(lambda: _known(run))
        plan = _plan(run, listing, known, verify=verify)
    run.n_found, run.left = plan.n_found, what_is_left(plan)
    run.clock.count("scan", Amounts(documents=plan.n_found))
    run.progress.planned(len(plan.read))
    persistently(lambda: _count_unread(run, plan))
    may_remove = allow_removal or not _is_guarded(run, plan, known)
    read_changed(run, plan.read, known)
    if may_remove:
        retire_in_batches(plan.removed, Outcome.REMOVED)
        retire_in_batches(plan.retired, Outcome.SKIPPED)
    retire_in_batches(run.removed_members, Outcome.REMOVED)
    retire_in_batches(run.retired_members, Outcome.SKIPPED)
    withdraw_unreadable(run)
    _finish_what_was_begun(run)  # What a batch left that had to be tried again.


def _finish_what_was_begun(run: Run) -> None:
    with run.clock.stage("upsert"):
        shared = is_shared(run.settings)
        persistently(lambda: recover(run.index, run.source.name if shared else None))


@task(task_run_name="scan {source}", **STEP)
def scan(source: str) -> list[Listed]:
    """List a source and note in the catalog that we looked."""
    run = current.get()
    run.listed_at = datetime.now(UTC)
    files = list_source(run.source.uri, run.settings.state_dir, run.gate)
    gathered = gather(files, run.rule_against, include_private=run.source.include_private)
    listing = attach(gathered)
    with run.index.catalog.writing() as connection:
        run_rows.mark_checked(connection, source, run.listed_at)
    return listing


def _known(run: Run) -> dict[str, Known]:
    with run.index.catalog.reading() as connection:
        return document_rows.known_documents(connection, run.source.name)


def _plan(run: Run, listing: Sequence[Listed], known: Mapping[str, Known], *, verify: bool) -> Plan:
    plan = make_plan(
        listing,
        known,
        run.expected,
        include=run.source.include,
        exclude=run.source.exclude,
        erased=run.erased,
        verify=verify,
    )
    # What is verified seems unchanged: the next run would begin with the same documents again.
    return plan if verify else paced(plan, known, run.source.max_documents_per_run)


def _count_unread(run: Run, plan: Plan) -> None:
    """Give the documents that need not be read their outcome."""
    now = datetime.now(UTC)
    bad = plan.still_quarantined
    tally = Tally()
    tally.outcomes[Outcome.UNCHANGED] = len(plan.unchanged)
    tally.outcomes[Outcome.SKIPPED] = len(plan.skipped) + len(plan.still_skipped)
    tally.outcomes[Outcome.QUARANTINED] = len(bad)
    tally.outcomes[Outcome.LEFT] = len(plan.left)
    tally.reasons.update(str(document.code) for document in bad)
    tally.rules.update(counted_as(skip.rule) for skip in plan.skipped)
    tally.rules.update(rule_on_member(run, member.uri) for member in plan.still_skipped)
    if bad:
        with run.index.catalog.writing() as connection:
            quarantine.mark_seen(connection, [document.document_id for document in bad], now)
            run_rows.record_outcomes(
                connection, run.id, [as_still_quarantined(document) for document in bad]
            )
    run.count(tally)


def _is_guarded(run: Run, plan: Plan, known: Mapping[str, Known]) -> bool:
    """Whether the removal guard forbids to remove what is gone; what it kept is noted."""
    leaving = [document.uri for document in (*plan.removed, *plan.retired) if document.searchable]
    n_searchable = sum(document.searchable for document in known.values())
    guarded = trips_removal_guard(
        n_searchable, len(leaving), n_found=plan.n_found, max_share=run.source.removal_guard
    )
    if guarded:
        run.withheld = tuple(leaving)
    return guarded


@task(cache_policy=NO_CACHE, persist_result=False)
def settle(report: dict[str, Any], source: str) -> None:
    """Publish the balance as a Prefect artifact."""
    key = re.sub("[^a-z0-9]+", "-", f"balance-{source}".lower()).strip("-")
    create_markdown_artifact(as_markdown(report), key=key, description=f"Balance of {source}")


def _settle(run: Run) -> RunReport:
    with run.clock.stage("settle"):
        error = persistently(lambda: check_corpus(run))
    if run.withheld:
        error = (
            f"removal guard: {len(run.withheld)} documents are gone from {run.source.name}, "
            "none was removed; if that is right, run again with --allow-removal"
        )
    figures = persistently(run.figures)
    report = run.report(figures, RunState.FAILED if error else None, error)
    persistently(lambda: run.end(report))
    if report.state is not RunState.FAILED:
        beat(run.index.catalog, run.settings, run.source)
    settle(report.as_json(), run.source.name)
    publish_freshness(run)
    if report.state is RunState.FAILED:
        raise RunFailed(report)
    return report
