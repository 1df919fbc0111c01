"""Documents that have another time and, it may be, the bytes that they had.

A backup was restored, say, or a folder checked out anew. They are compared many at once before any
other is read, for that takes neither a parser nor a model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from flows.metadata.sidecars import fetch_attached, has_same_bytes
from flows.runs.batch import PreparedBatch, touched_as
from flows.runs.batch_work import record, tally_of
from flows.runs.clock import Amounts
from flows.runs.fetched import DocumentTooLarge, DocumentUnreadable
from flows.runs.run import Run
from index.plan import Known, Listed, holds
from index.publishing import Written

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Comparable:
    """A document that is as large as it was, and whose result holds if its bytes are the same."""

    listed: Listed
    before: Known
    members: Sequence[Known]
    """What it holds, at any depth."""


def comparable(
    run: Run,
    documents: Sequence[Listed],
    known: Mapping[str, Known],
    inside: Mapping[str, Sequence[Known]],
) -> Iterator[Comparable]:
    """Those of some files that may be only touched.

    Args:
        run: Whose documents.
        documents: Which.
        known: By uri, what the catalog knows of them.
        inside: By uri, what it knows of their members.
    """
    rule_against = run.rule_against
    for listed in documents:
        before, members = known.get(listed.uri), inside.get(listed.uri, ())
        if (
            before is not None
            and before.n_bytes == listed.n_bytes
            and _is_file(listed)
            and holds(before, members, run.expected, rule_against)
        ):
            yield Comparable(listed, before, members)


def compare_documents(run: Run, documents: Sequence[Comparable]) -> list[Listed]:
    """Read documents, and note of those whose bytes are the same that they are unchanged.

    Returns:
        The others, and those that cannot be read.

    Raises:
        Interrupted: The run is to stop.
        StoreUnavailable, SourceUnreadable: Worth trying again, all of it.
    """
    done, others = PreparedBatch(), list[Listed]()
    limit = run.settings.limits.max_file_mib * _MIB
    n_bytes = 0
    with run.clock.stage("read"):
        for one in documents:
            run.check()
            try:
                with run.gate.turn():
                    fetched = fetch_attached(one.listed, limit)
            except (DocumentUnreadable, DocumentTooLarge):
                others.append(one.listed)
                continue
            n_bytes += len(fetched.data)
            if has_same_bytes(fetched, one.before):
                done.touched.append((touched_as(fetched, one.before), one.before))
                done.still += one.members
            else:
                others.append(one.listed)
    run.clock.count("read", Amounts(documents=len(documents), bytes=n_bytes))
    record(run, done, datetime.now(UTC))
    run.count(tally_of(run, done, Written()), n_members=len(done.still))
    return others


def _is_file(listed: Listed) -> bool:
    """Whether it is one file, of this machine; what comes from elsewhere has better marks."""
    return not (listed.unreadable or listed.parts or "://" in listed.location)
