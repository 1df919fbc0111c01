"""What is done with a batch of documents, wherever that is, and what of it is written down."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from flows.metadata.corpus_checks import keep_validations
from flows.runs.batch import PreparedBatch, Workshop
from flows.runs.clock import Amounts
from flows.runs.preparation import prepare
from flows.runs.report import Tally
from flows.runs.run import Run
from flows.runs.turns import turn
from index.catalog import documents as document_rows
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.runs import DocumentOutcome
from index.plan import Known, Listed, Outcome
from index.publishing import Written, embed, publish


def index_documents(
    run: Run, workshop: Workshop, batch: Sequence[Listed], known: Mapping[str, Known]
) -> None:
    """Make a batch of documents searchable.

    Args:
        run: Told what became of them.
        workshop: With what.
        batch: Which.
        known: By uri, what the catalog knows of them and of their members.

    Raises:
        Interrupted: The run is to stop.
        StoreUnavailable, SourceUnreadable: Worth trying again, all of it.
    """
    run.check()
    done = prepare(workshop, batch, known, datetime.now(UTC))
    keep_validations(run, done.validations)
    with turn(run.settings.embed_at_once, run.check), run.clock.stage("embed"):
        vectors, cost = embed(run.index, done.prepared, run.embedded)
    run.clock.count("embed", Amounts(len(done.prepared), cost.embedded, cost.tokens_embedded))
    run.check()
    with run.clock.stage("upsert"):
        now = datetime.now(UTC)
        _give_up(run, [*done.removed, *done.retired])
        documents = [document.as_of(now) for document in done.prepared]
        cost += publish(run.index, documents, vectors, now)
        record(run, done, now)
    run.clock.count("upsert", Amounts(len(documents), cost.written))
    run.removed_members += done.removed
    run.retired_members += done.retired
    tally = tally_of(run, done, cost)
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


def record(run: Run, done: PreparedBatch, now: datetime) -> None:
    """Note in the catalog what did not become searchable."""
    outcomes = [
        DocumentOutcome(seen.document_id, seen.uri, Outcome.QUARANTINED, failed.code, failed.detail)
        for seen, failed in done.failed
    ]
    still_bad = [before for before in _as_before(done) if before.code is not None]
    outcomes += [as_still_quarantined(before) for before in still_bad]
    with run.index.catalog.writing() as connection:
        failed_documents = [seen for seen, _ in done.failed]
        document_rows.save_seen(connection, failed_documents, Outcome.QUARANTINED, now)
        quarantine.record_failures(connection, [failed for _, failed in done.failed], now)
        quarantine.mark_seen(connection, [before.document_id for before in still_bad], now)
        document_rows.save_seen(connection, done.skipped, Outcome.SKIPPED, now)
        document_rows.save_stat(connection, [stat for stat, _ in done.touched])
        run_rows.record_outcomes(connection, run.id, outcomes)


def tally_of(run: Run, done: PreparedBatch, cost: Written) -> Tally:
    """What became of a batch, as the report counts it."""
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


def rule_on_member(run: Run, uri: str) -> str:
    return run.rule_against(uri) or "include_private is not set"


def as_still_quarantined(document: Known) -> DocumentOutcome:
    return DocumentOutcome(
        document.document_id, document.uri, Outcome.QUARANTINED, document.code, "not tried again"
    )
