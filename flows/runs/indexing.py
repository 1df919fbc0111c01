"""Making documents searchable in batches, and unsearchable: the work that runs have in common."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

from prefect import task
from prefect.utilities.annotations import quote

from flows.runs.batch import Workshop
from flows.runs.batch_work import index_documents
from flows.runs.comparing import Comparable, comparable, compare_documents
from flows.runs.elsewhere import Group, index_elsewhere, is_remote, label_of
from flows.runs.report import Tally
from flows.runs.run import Attempt, Run, current
from flows.runs.steps import STEP
from flows.runs.turns import set_limit
from flows.runs.workshop import open_workshop
from flows.tracing import span
from index.batching import batches
from index.plan import Known, Listed, Outcome, by_container
from index.publishing import retire

_Value = TypeVar("_Value")

_BATCH_DOCUMENTS: Final = 32
_FIRST_BATCH: Final = 8
"""Documents: the model waits for them."""
_BATCH_BYTES: Final = 32 * 1024 * 1024
_SMALL_DOCUMENTS: Final = 256
_SMALL_BYTES: Final = 64 * 1024
"""Of documents that are as small as that together, more are in a batch: what is the same for each
batch, validation above all, would take longer than what is done for them."""
_RETIRED_AT_ONCE: Final = 500
PARALLEL_BATCHES: Final = 2
"""One is embedded while the next is parsed; more would only hold more in memory."""


def read_changed(run: Run, changed: Sequence[Listed], known: Mapping[str, Known]) -> None:
    """Make documents searchable: here, or where the settings say."""
    inside = by_container(known.values())
    changed = _with_other_bytes(run, changed, known, inside)
    groups = [(group, _known_of(group, known, inside)) for group in _batches(changed)]
    if not groups:
        return
    set_limit(run.settings.embed_at_once)
    if is_remote(run.settings) and run.attempt == Attempt():
        index_elsewhere(run, groups)
        return
    with open_workshop(run) as workshop:
        _run_batches(run, workshop, groups)


def _with_other_bytes(
    run: Run,
    documents: Sequence[Listed],
    known: Mapping[str, Known],
    inside: Mapping[str, Sequence[Known]],
) -> list[Listed]:
    """Documents less those that turn out to be only touched, which are noted as unchanged."""
    alike = list(comparable(run, documents, known, inside))
    compared = {one.listed.uri for one in alike}
    left = [one for one in documents if one.uri not in compared]
    for some in batches(alike):
        left += compare(_as_is(some), len(some))
    return left


@task(task_run_name="compare {n_documents} documents", **STEP)
def compare(documents: Sequence[Comparable], n_documents: int) -> list[Listed]:
    """Find out which documents are only touched."""
    return compare_documents(current.get(), documents)


def _batches(documents: Sequence[Listed]) -> Iterator[list[Listed]]:
    """Documents in groups, bounded by number and by bytes."""
    batch: list[Listed] = []
    n_bytes, n_most = 0, _FIRST_BATCH
    for document in documents:
        size = document.n_bytes or _SMALL_BYTES  # A web server may not say.
        if batch and _is_full(len(batch), n_bytes + size, n_most):
            yield batch
            batch, n_bytes, n_most = [], 0, _SMALL_DOCUMENTS
        batch.append(document)
        n_bytes += size
    if batch:
        yield batch


def _is_full(n: int, n_bytes: int, n_most: int) -> bool:
    """Whether `n` documents are a batch, of which one more would make `n_bytes`."""
    n_most = n_most if n_bytes <= _SMALL_BYTES else min(n_most, _BATCH_DOCUMENTS)
    return n >= n_most or n_bytes > _BATCH_BYTES


def _as_is(value: _Value) -> _Value:
    """For Prefect: a parameter that it must not look into for futures, which would take long."""
    return cast(_Value, quote(value))


def _run_batches(run: Run, workshop: Workshop, groups: Sequence[Group]) -> None:
    futures = [
        index_batch.submit(_as_is(workshop), _as_is(group), _as_is(known), label_of(groups, number))
        for number, (group, known) in enumerate(groups, 1)
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
        index_documents(current.get(), workshop, batch, known)


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
