"""Making unsearchable what can no longer be read, for sources that keep no last good version."""

from datetime import UTC, datetime

from flows.runs.indexing import retire_in_batches
from flows.runs.run import Run
from index.batching import batches
from index.catalog.documents import known_documents
from index.catalog.staleness import find_unreadable
from index.plan import Outcome
from index.publishing import withdraw


def withdraw_unreadable(run: Run) -> None:
    """Withdraw the old versions of what could not be read, if the settings say so.

    What lies in a container that could not be read is removed: when the container can be read
    again, it is found in it anew.

    Raises:
        StoreUnavailable: A store failed; the next run does what is left.
    """
    source = run.source
    if source.keep_last_good:
        return
    with run.index.catalog.reading() as connection:
        unreadable = find_unreadable(connection, source.name)
        known = known_documents(connection, source.name) if unreadable.members else {}
    for some in batches(sorted(unreadable.documents)):
        withdraw(run.index, some, source.name, datetime.now(UTC))
    members = [one for one in known.values() if one.document_id in unreadable.members]
    retire_in_batches(members, Outcome.REMOVED)
