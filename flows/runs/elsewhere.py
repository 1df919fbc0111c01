"""Batches on other machines, by Dask or Ray.

A batch whose worker dies is run again by another: that changes nothing of what it comes to.
"""

import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from prefect import task

from flows.errors import UsageError
from flows.runs.errands import Errand, do_errand, mark_of
from flows.runs.lease import is_shared
from flows.runs.outages import persistently
from flows.runs.run import Part, Run
from flows.runs.runners import cancel, task_runner
from flows.runs.steps import STEP
from flows.settings import Settings
from flows.wiring import text_store
from index.errors import StoreUnavailable
from index.plan import Known, Listed

Group = tuple[Sequence[Listed], Mapping[str, Known]]
"""A batch, and what the catalog knows of its documents and of their members, by uri."""


def is_remote(settings: Settings) -> bool:
    """Whether batches are run by other processes."""
    return settings.task_runner != "threads"


def require_remote_stores(settings: Settings) -> None:
    """Raise `UsageError` if batches are to be run elsewhere and the stores are here."""
    if is_remote(settings) and not is_shared(settings):
        raise UsageError(
            f"task_runner = {settings.task_runner!r} needs stores that all workers reach: "
            "set catalog_url (PostgreSQL) and vectors_url (a Chroma server)"
        )


def label_of(groups: Sequence[Group], number: int) -> str:
    return f"{number} of {len(groups)} ({len(groups[number - 1][0])} documents)"


def index_elsewhere(run: Run, groups: Sequence[Group]) -> None:
    """Have workers make batches searchable.

    Raises:
        UsageError: A worker does not see the texts that the run sees.
    """
    began = time.monotonic()
    errand, parts = _errand(run), list[Part]()
    with _shown(run.settings, run.id), task_runner(run.settings) as runner:
        futures = [
            runner.submit(
                index_batch_elsewhere,
                parameters={
                    "packed": pickle.dumps((errand, group, known)),
                    "label": label_of(groups, number),
                },
            )
            for number, (group, known) in enumerate(groups, 1)
        ]
        try:
            for future in futures:
                parts.append(future.result())
                run.add(parts[-1])
        except BaseException:
            run.stop.set()
            cancel(futures)
            raise
        finally:
            run.clock.add([part.stages for part in parts], time.monotonic() - began)


@task(name="index batch", task_run_name="batch {label}", **STEP)
def index_batch_elsewhere(packed: bytes, label: str) -> Part:
    """Make a batch of documents searchable, in the process of a worker.

    Args:
        packed: Pickled, what to call `do_errand` with: the runners, and Prefect, look into all that
            they are given for what has yet to be computed, and make other things of it.
        label: For Prefect's pages.
    """
    # This function is pickled by value; what it calls is found in the worker.
    return do_errand(*pickle.loads(packed))  # noqa: S301


def _errand(run: Run) -> Errand:
    return Errand(
        settings={name: getattr(run.settings, name) for name in Settings.model_fields},
        source=run.source,
        run_id=run.id,
        listed_at=run.listed_at,
        erased=run.erased,
        generations=frozenset(target.generation.id for target in run.index.targets),
    )


@contextmanager
def _shown(settings: Settings, run_id: str) -> Iterator[None]:
    """Have workers find out whether they see the texts that this process sees."""
    texts, mark = text_store(settings), mark_of(run_id)
    persistently(lambda: texts.mark(mark))
    try:
        yield
    finally:
        with suppress(StoreUnavailable):
            texts.unmark(mark)
