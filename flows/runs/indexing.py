"""Making documents searchable in batches, and unsearchable: the work that runs have in common."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from checks.contract import Contract
from flows.metadata.corpus_checks import keep_validations
from flows.metadata.fields import fields_of
from flows.runs.batch import PreparedBatch, Workshop
from flows.runs.clock import Amounts
from flows.runs.fetched import SourceUnreadable
from flows.runs.outages import RETRY_DELAYS_S, may_come_back
from flows.runs.preparation import prepare
from flows.runs.report import Tally
from flows.runs.run import Run, current
from flows.tracing import span
from flows.wiring import make_sandbox
from index.batching import batches
from index.catalog import documents as document_rows
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.runs import DocumentOutcome
from index.plan import Known, Listed, Outcome, by_container
from index.publishing import Written, embed, publish, retire

_Value = TypeVar("_Value")

_BATCH_DOCUMENTS: Final = 32
_BATCH_BYTES: Final = 32 * 1024 * 1024
_RETIRED_AT_ONCE: Final = 500
PARALLEL_BATCHES: Final = 2
"""One is embedded while the next is parsed; more would only hold more in memory."""


def _is_worldly(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed for a reason that may be gone when it is tried again."""
    try:
        state.result()
    except BaseException as error:  # noqa: BLE001
        return isinstance(error, SourceUnreadable) or may_come_back(error)
    return False


STEP: Final[dict[str, Any]] = {
    "retries": len(RETRY_DELAYS_S),
    "retry_delay_seconds": RETRY_DELAYS_S,
    "retry_condition_fn": _is_worldly,
    # What tasks are given can be neither hashed nor pickled, and a result is never reused.
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


def read_changed(run: Run, changed: Sequence[Listed], known: Mapping[str, Known]) -> None:
    if not changed:
        return
    fields = fields_of(run.source)
    window = max(target.embedder.files.window for target in run.index.targets)
    contract = Contract(window=window, rules=fields.rules)
    threading.Thread(target=_warm_up, args=(run, contract), daemon=True).start()
    attempt = run.attempt
    with make_sandbox(
        run.settings, run.source, passwords=attempt.passwords, read_as=attempt.read_as
    ) as sandbox:
        workshop = Workshop(
            source=run.source.name,
            index=run.index,
            sandbox=sandbox,
            contract=contract,
            fields=fields,
            expected=run.expected,
            rule_against=run.rule_against,
            clock=run.clock,
            run_id=run.id,
            listed_at=run.listed_at,
            gate=run.gate,
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


@task(name="index batch", task_run_name="batch {label}", **STEP)
def index_batch(
    workshop: Workshop,
    batch: Sequence[Listed],
    known: Mapping[str, Known],
    label: str,
) -> None:
    """Make a batch of documents searchable."""
    with span("batch", documents=len(batch)):
        _index(current.get(), workshop, batch, known)


def _index(
    run: Run, workshop: Workshop, batch: Sequence[Listed], known: Mapping[str, Known]
) -> None:
    run.check()
    done = prepare(workshop, batch, known, datetime.now(UTC))
    keep_validations(run, done.validations)
    with run.clock.stage("embed"):
        vectors, cost = embed(run.index, done.prepared, run.embedded)
    run.clock.count("embed", Amounts(len(done.prepared), cost.embedded, cost.tokens_embedded))
    run.check()
    with run.clock.stage("upsert"):
        now = datetime.now(UTC)
        _give_up(run, [*done.removed, *done.retired])
        documents = [document.as_of(now) for document in done.prepared]
        cost += publish(run.index, documents, vectors, now)
        _record(run, done, now)
    run.clock.count("upsert", Amounts(len(documents), cost.written))
    run.removed_members += done.removed
    run.retired_members += done.retired
    tally = _tally(run, done, cost)
    tried = [*(one.seen for one in done.prepared), *(seen for seen, _ in done.failed)]
    tally.n_released = sum(_was_bad(known.get(seen.uri)) for seen in tried)
    run.count(tally, n_members=done.n_members)


def _was_bad(before: Known | None) -> bool:
    return before is not None and before.outcome is Outcome.QUARANTINED


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
    outcomes += [
        as_still_quarantined(before) for before in _as_before(done) if before.code is not None
    ]
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
    tally.rules.update(rule_on_member(run, uri) for uri in skipped)
    tally.outcomes[Outcome.SKIPPED] += len(done.skipped) + len(done.retired)
    for before in _as_before(done):
        stays = before.outcome in (Outcome.QUARANTINED, Outcome.SKIPPED)
        tally.outcomes[before.outcome if stays else Outcome.UNCHANGED] += 1
        tally.reasons.update([str(before.code)] if before.code else [])
    return tally


def _as_before(done: PreparedBatch) -> list[Known]:
    return [*(before for _, before in done.touched), *done.still]


def retire_in_batches(documents: Sequence[Known], outcome: Outcome) -> None:
    for some in batches(documents, _RETIRED_AT_ONCE):
        remove(_as_is(some), outcome.value, len(some))


@task(task_run_name="remove {n_documents} documents ({outcome})", **STEP)
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


def rule_on_member(run: Run, uri: str) -> str:
    return run.rule_against(uri) or "include_private is not set"


def as_still_quarantined(document: Known) -> DocumentOutcome:
    return DocumentOutcome(
        document.document_id, document.uri, Outcome.QUARANTINED, document.code, "not tried again"
    )
