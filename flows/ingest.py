"""The flow that makes the index follow a source.

scan → plan → batches (prepare, embed, publish) → remove → settle
"""

import re
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from checks.balance import trips_removal_guard
from checks.contract import Contract
from flows.batch import PreparedBatch, Workshop
from flows.conversations import gather
from flows.errors import RunFailed
from flows.lease import is_shared, source_lease
from flows.outages import RETRY_DELAYS_S, may_come_back, persistently
from flows.preparation import prepare
from flows.progress import watching
from flows.report import RunReport, Tally, as_markdown
from flows.run import Run, current, recorded
from flows.selection import select_source
from flows.settings import load_settings
from flows.sources import SourceUnreadable, list_source
from flows.wiring import (
    make_expectation,
    make_sandbox,
    make_state_dir,
    open_catalog,
    open_index,
)
from index.batching import batches
from index.catalog import documents as document_rows
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.runs import DocumentOutcome, RunState
from index.converging import recover
from index.plan import Known, Listed, Outcome, Plan, by_container, make_plan, rules
from index.publishing import Written, embed, publish, retire

_Value = TypeVar("_Value")

_BATCH_DOCUMENTS: Final = 32
_BATCH_BYTES: Final = 32 * 1024 * 1024
_RETIRED_AT_ONCE: Final = 500
_PARALLEL_BATCHES: Final = 2
"""One is embedded while the next is parsed; more would only hold more in memory."""


def _flow_run_name() -> str:
    return f"ingest {Path(str(flow_run.parameters['source'])).name}"


@flow(
    name="ingest",
    description="Make the index follow a source.",
    flow_run_name=_flow_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=_PARALLEL_BATCHES),  # type: ignore[arg-type]
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
    settings = load_settings(Path(config) if config else None, Path(state) if state else None)
    make_state_dir(settings)
    with open_catalog(settings) as catalog:
        chosen = select_source(settings, catalog, source)
        with (
            source_lease(settings, catalog, chosen.name, wait_s=wait_s),
            open_index(settings, catalog) as index,
        ):
            expected = make_expectation(settings, chosen)
            run = Run(uuid.uuid4().hex, settings, chosen, index, expected, watching.get())
            return _run(run, verify=verify, allow_removal=allow_removal)


def _run(run: Run, *, verify: bool, allow_removal: bool) -> dict[str, Any]:
    token = current.set(run)
    try:
        with recorded(run, flow_run.id):
            _follow_source(run, verify=verify, allow_removal=allow_removal)
            return _settle(run).as_json()
    finally:
        current.reset(token)


def _follow_source(run: Run, *, verify: bool, allow_removal: bool) -> None:
    _finish_what_was_begun(run)
    with run.clock.stage("scan"):
        listing = scan(run.source.name)
        known = persistently(lambda: _known(run))
        plan = _plan(run, listing, known, verify=verify)
    run.n_found = plan.n_found
    run.progress.planned(len(plan.read))
    persistently(lambda: _count_unread(run, plan))
    may_remove = allow_removal or not _is_guarded(run, plan, known)
    _read_changed(run, plan.read, known)
    if may_remove:
        _retire(plan.removed, Outcome.REMOVED)
        _retire(plan.retired, Outcome.SKIPPED)
    _retire(run.removed_members, Outcome.REMOVED)
    _retire(run.retired_members, Outcome.SKIPPED)
    _finish_what_was_begun(run)  # What a batch left that had to be tried again.


def _finish_what_was_begun(run: Run) -> None:
    with run.clock.stage("upsert"):
        shared = is_shared(run.settings)
        persistently(lambda: recover(run.index, run.source.name if shared else None))


def _is_worldly(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed for a reason that may be gone when it is tried again."""
    try:
        state.result()
    except BaseException as error:  # noqa: BLE001
        return isinstance(error, SourceUnreadable) or may_come_back(error)
    return False


_STEP: Final[dict[str, Any]] = {
    "retries": len(RETRY_DELAYS_S),
    "retry_delay_seconds": RETRY_DELAYS_S,
    "retry_condition_fn": _is_worldly,
    # What tasks are given can be neither hashed nor pickled, and a result is never reused.
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


@task(task_run_name="scan {source}", **_STEP)
def scan(source: str) -> list[Listed]:
    """List a source and note in the catalog that we looked."""
    run = current.get()
    files = list_source(run.source.uri, run.settings.state_dir)
    rule_against = rules(run.source.include, run.source.exclude)
    listing = gather(files, rule_against, include_private=run.source.include_private)
    with run.index.catalog.writing() as connection:
        run_rows.mark_checked(connection, source, datetime.now(UTC))
    return listing


def _known(run: Run) -> dict[str, Known]:
    with run.index.catalog.reading() as connection:
        return document_rows.known_documents(connection, run.source.name)


def _plan(run: Run, listing: Sequence[Listed], known: Mapping[str, Known], *, verify: bool) -> Plan:
    return make_plan(
        listing,
        known,
        run.expected,
        include=run.source.include,
        exclude=run.source.exclude,
        verify=verify,
    )


def _count_unread(run: Run, plan: Plan) -> None:
    """Give the documents that need not be read their outcome."""
    now = datetime.now(UTC)
    bad = plan.still_quarantined
    tally = Tally()
    tally.outcomes[Outcome.UNCHANGED] = len(plan.unchanged)
    tally.outcomes[Outcome.SKIPPED] = len(plan.skipped) + len(plan.still_skipped)
    tally.outcomes[Outcome.QUARANTINED] = len(bad)
    tally.reasons.update(str(document.code) for document in bad)
    tally.rules.update(skip.rule for skip in plan.skipped)
    tally.rules.update(_rule_on_member(run, member.uri) for member in plan.still_skipped)
    if bad:
        with run.index.catalog.writing() as connection:
            quarantine.mark_seen(connection, [document.document_id for document in bad], now)
            run_rows.record_outcomes(connection, run.id, [_again(document) for document in bad])
    run.count(tally)


def _rule_on_member(run: Run, uri: str) -> str:
    return rules(run.source.include, run.source.exclude)(uri) or "include_private is not set"


def _again(document: Known) -> DocumentOutcome:
    return DocumentOutcome(
        document.document_id, document.uri, Outcome.QUARANTINED, document.code, "not tried again"
    )


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


def _read_changed(run: Run, changed: Sequence[Listed], known: Mapping[str, Known]) -> None:
    if not changed:
        return
    contract = Contract(
        window=max(target.embedder.files.window for target in run.index.targets),
        required=run.source.required_metadata,
    )
    threading.Thread(target=_warm_up, args=(run, contract), daemon=True).start()
    with make_sandbox(run.settings, run.source) as sandbox:
        workshop = Workshop(
            source=run.source.name,
            index=run.index,
            sandbox=sandbox,
            contract=contract,
            required_metadata=run.source.required_metadata,
            expected=run.expected,
            rule_against=rules(run.source.include, run.source.exclude),
            clock=run.clock,
            run_id=run.id,
        )
        _run_batches(run, workshop, list(_batches(changed)), known)


def _warm_up(run: Run, contract: Contract) -> None:
    """Import what is slow to import while the first documents are read.

    What goes wrong here goes wrong again where it is needed, and is told there.
    """
    with suppress(Exception):
        run.index.embedder.load()
        contract.load()


def _batches(documents: Sequence[Listed]) -> Iterator[list[Listed]]:
    """Documents in groups, bounded by number and by bytes."""
    batch: list[Listed] = []
    n_bytes = 0
    for document in documents:
        is_full = len(batch) == _BATCH_DOCUMENTS or n_bytes + document.n_bytes > _BATCH_BYTES
        if batch and is_full:
            yield batch
            batch, n_bytes = [], 0
        batch.append(document)
        n_bytes += document.n_bytes
    if batch:
        yield batch


def _as_is(value: _Value) -> _Value:
    """For Prefect: a parameter that it must not look into for futures, which would take long."""
    return cast(_Value, quote(value))


def _run_batches(
    run: Run, workshop: Workshop, groups: Sequence[Sequence[Listed]], known: Mapping[str, Known]
) -> None:
    inside = by_container(known.values())
    futures = [
        index_batch.submit(
            _as_is(workshop),
            _as_is(group),
            _as_is(_known_of(group, known, inside)),
            f"{number} of {len(groups)} ({len(group)} documents)",
        )
        for number, group in enumerate(groups, 1)
    ]
    try:
        for future in futures:
            future.result()
    except BaseException:
        run.stop.set()
        workshop.sandbox.close()
        for future in futures:
            future.wait()
        raise


def _known_of(
    group: Sequence[Listed], known: Mapping[str, Known], inside: Mapping[str, Sequence[Known]]
) -> dict[str, Known]:
    """What is known of some documents and of their members, by uri."""
    found = {one.uri: known[one.uri] for one in group if one.uri in known}
    return found | {member.uri: member for one in group for member in inside.get(one.uri, ())}


@task(name="index batch", task_run_name="batch {label}", **_STEP)
def index_batch(
    workshop: Workshop,
    batch: Sequence[Listed],
    known: Mapping[str, Known],
    label: str,
) -> None:
    """Make a batch of documents searchable."""
    run = current.get()
    run.check()
    done = prepare(workshop, batch, known, datetime.now(UTC))
    with run.clock.stage("embed"):
        vectors, cost = embed(run.index, done.prepared, run.embedded)
    run.check()
    with run.clock.stage("upsert"):
        now = datetime.now(UTC)
        _give_up(run, [*done.removed, *done.retired])
        documents = [document.as_of(now) for document in done.prepared]
        cost += publish(run.index, documents, vectors, now)
        _record(run, done, now)
    run.removed_members += done.removed
    run.retired_members += done.retired
    run.count(_tally(run, done, cost), n_members=done.n_members)


def _give_up(run: Run, members: Sequence[Known]) -> None:
    """Have the next run look at these again, should this one be killed before it removes them."""
    if members:
        with run.index.catalog.writing() as connection:
            document_rows.forget_result(connection, [member.document_id for member in members])


def _record(run: Run, done: PreparedBatch, now: datetime) -> None:
    """Note in the catalog what did not become searchable."""
    outcomes = [
        DocumentOutcome(seen.document_id, seen.uri, Outcome.QUARANTINED, failed.code, failed.detail)
        for seen, failed in done.failed
    ]
    outcomes += [_again(before) for before in _as_before(done) if before.code is not None]
    with run.index.catalog.writing() as connection:
        failed_documents = [seen for seen, _ in done.failed]
        document_rows.save_seen(connection, failed_documents, Outcome.QUARANTINED, now)
        quarantine.record_failures(connection, [failed for _, failed in done.failed], now)
        document_rows.save_seen(connection, done.skipped, Outcome.SKIPPED, now)
        document_rows.save_stat(connection, [seen for seen, _ in done.touched])
        run_rows.record_outcomes(connection, run.id, outcomes)


def _tally(run: Run, done: PreparedBatch, cost: Written) -> Tally:
    tally = Tally(n_chunks=done.n_chunks, n_rejected=done.n_rejected, written=cost)
    tally.outcomes.update(document.outcome for document in done.prepared)
    for _, failed in done.failed:
        tally.outcomes[Outcome.QUARANTINED] += 1
        tally.reasons[failed.code] += 1
    skipped = [seen.uri for seen in done.skipped]
    skipped += [member.uri for member in done.retired]
    skipped += [one.uri for one in done.still if one.outcome is Outcome.SKIPPED]
    tally.rules.update(_rule_on_member(run, uri) for uri in skipped)
    tally.outcomes[Outcome.SKIPPED] += len(done.skipped) + len(done.retired)
    for before in _as_before(done):
        stays = before.outcome in (Outcome.QUARANTINED, Outcome.SKIPPED)
        tally.outcomes[before.outcome if stays else Outcome.UNCHANGED] += 1
        tally.reasons.update([str(before.code)] if before.code else [])
    return tally


def _as_before(done: PreparedBatch) -> list[Known]:
    return [*(before for _, before in done.touched), *done.still]


def _retire(documents: Sequence[Known], outcome: Outcome) -> None:
    for some in batches(documents, _RETIRED_AT_ONCE):
        remove(_as_is(some), outcome.value, len(some))


@task(task_run_name="remove {n_documents} documents ({outcome})", **_STEP)
def remove(documents: Sequence[Known], outcome: str, n_documents: int) -> None:
    """Make documents unsearchable that are gone or excluded."""
    run = current.get()
    with run.clock.stage("upsert"):
        now = datetime.now(UTC)
        cost = retire(run.index, documents, Outcome(outcome), run.id, now, source=run.source.name)
    tally = Tally(written=cost)
    if outcome == Outcome.REMOVED:
        tally.outcomes[Outcome.REMOVED] = len(documents)
    run.count(tally)


@task(cache_policy=NO_CACHE, persist_result=False)
def settle(report: dict[str, Any], source: str) -> None:
    """Publish the balance as a Prefect artifact."""
    key = re.sub("[^a-z0-9]+", "-", f"balance-{source}".lower()).strip("-")
    create_markdown_artifact(as_markdown(report), key=key, description=f"Balance of {source}")


def _settle(run: Run) -> RunReport:
    error = ""
    if run.withheld:
        error = (
            f"removal guard: {len(run.withheld)} documents are gone from {run.source.name}, "
            "none was removed; if that is right, run again with --allow-removal"
        )
    report = run.report(persistently(run.lags), error=error)
    persistently(lambda: run.end(report))
    settle(report.as_json(), run.source.name)
    if report.state is RunState.FAILED:
        raise RunFailed(report)
    return report
