"""From listed documents to parsed ones, and to those that they hold inside.

An archive is a container, and so is a mail with attachments. Every document in it, its member, is a
document of its own: its uri is that of the container, `!/`, and its path in there. Members may be
containers themselves. What is known of the members of a container that is not opened again still
holds, so a run that finds nothing changed opens none.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flows.metadata.sidecars import fetch_attached, has_same_bytes
from flows.runs.batch import (
    PreparedBatch,
    Read,
    Workshop,
    failed_as,
    seen_as,
    touched_as,
    unread_as,
)
from flows.runs.clock import Amounts
from flows.runs.fetched import DocumentTooLarge, DocumentUnreadable, Fetched
from index.plan import EXCLUDED_INSIDE, MEMBER, Known, Listed, Outcome, by_container, holds
from parsers.document import Member, ParsedDocument
from parsers.frames import Failure
from parsers.reasons import Reason

_MIB: Final = 1024 * 1024
_MAX_DEPTH: Final = 5
"""Of containers in one another."""


def read_and_parse(
    workshop: Workshop,
    batch: Sequence[Listed],
    known: Mapping[str, Known],
    done: PreparedBatch,
) -> list[tuple[Read, ParsedDocument]]:
    """The documents of a batch that have to be made searchable anew, and their members.

    Args:
        workshop: With what.
        batch: Which.
        known: By uri, what the catalog knows of them and of their members.
        done: Told what became of the others.

    Raises:
        SandboxBroken: Parsing is not possible at all.
    """
    reader = _Reader(workshop, known, done)
    changed = [read for listed in batch if (read := reader.read(listed))]
    parsed: list[tuple[Read, ParsedDocument]] = []
    while changed:
        inside: list[Read] = []
        for read, document in reader.parse(changed):
            parsed.append((read, document))
            inside += reader.open(read, document)
        changed = inside
    return reader.without_bombs(parsed)


class _Reader:
    """Reads one batch."""

    def __init__(self, workshop: Workshop, known: Mapping[str, Known], done: PreparedBatch) -> None:
        self._workshop = workshop
        self._known = known
        self._inside = by_container(known.values())
        self._done = done
        self._n_inside: Counter[str] = Counter()
        """Members found so far, by the uri of the listed document that they lie in."""
        self._n_unpacked: Counter[str] = Counter()
        """Their bytes."""
        self._bombs: dict[str, str] = {}
        """Listed documents in which there is too much, and what."""

    def read(self, listed: Listed) -> Read | None:
        """A document's bytes; None if they cannot be had, or are what they were."""
        with self._workshop.clock.stage("read"):
            fetched = self._fetch(listed)
        n_bytes = 0 if isinstance(fetched, Failure) else len(fetched.data)
        self._workshop.clock.count("read", Amounts(documents=1, bytes=n_bytes))
        if isinstance(fetched, Failure):
            self._done.failed.append(unread_as(self._workshop, listed, fetched))
            self._keep_members(listed.uri)
            return None
        read = Read(listed, fetched)
        before = self._known.get(read.uri)
        if before is None or not self._holds(read, before):
            return read
        self._done.touched.append((touched_as(fetched, before), before))
        self._keep_members(read.uri)
        return None

    def parse(self, reads: Sequence[Read]) -> Iterator[tuple[Read, ParsedDocument]]:
        """Those of `reads` that can be parsed."""
        amounts = Amounts(len(reads), bytes=sum(len(read.fetched.data) for read in reads))
        self._workshop.clock.count("parse", amounts)
        with self._workshop.clock.stage("parse"):
            results = self._workshop.sandbox.parse_all(
                (read.uri, read.fetched.data) for read in reads
            )
            for read, result in zip(reads, results, strict=True):
                if isinstance(result, Failure):
                    self._done.failed.append(failed_as(self._workshop, read, result, "parse"))
                    self._keep_members(read.uri)
                else:
                    yield read, result

    def open(self, container: Read, document: ParsedDocument) -> list[Read]:
        """The members of a document that have to be read; what became of the others is noted."""
        if self._is_too_much(container, document):
            return []
        found: set[str] = set()
        changed = []
        for member in document.members:
            uri = _free_uri(container.uri, member.name, found)
            found.add(uri)
            if read := self._open_member(container, uri, member):
                changed.append(read)
        self._done.removed += [
            known
            for known in self._inside.get(container.uri, ())
            if _direct_member(container.uri, known.uri) not in found
        ]
        return changed

    def without_bombs(
        self, parsed: list[tuple[Read, ParsedDocument]]
    ) -> list[tuple[Read, ParsedDocument]]:
        """What is left when a document that holds too much is one failure, with nothing inside."""
        done, bombs = self._done, self._bombs
        if bombs:
            done.failed = [one for one in done.failed if _listed(one[0].uri) not in bombs]
            done.skipped = [seen for seen in done.skipped if _listed(seen.uri) not in bombs]
            for known in (done.still, done.retired, done.removed):
                known[:] = [one for one in known if _listed(one.uri) not in bombs]
        for read, document in parsed:
            if detail := bombs.get(read.uri):
                failure = Failure(Reason.DECOMPRESSION_BOMB, detail, document.media_type)
                done.failed.append(failed_as(self._workshop, read, failure, "unpack"))
                self._n_inside[read.uri] = 0
                self._keep_members(read.uri)
        done.n_members = self._n_inside.total()
        return [one for one in parsed if _listed(one[0].uri) not in bombs]

    def _is_too_much(self, container: Read, document: ParsedDocument) -> bool:
        """Count what a document holds; from the first that is too much on, none is opened."""
        listed, options = _listed(container.uri), self._workshop.options
        self._n_inside[listed] += len(document.members)
        self._n_unpacked[listed] += sum(len(member.data) for member in document.members)
        if self._n_inside[listed] > options.max_members:
            self._bombs[listed] = f"more than {options.max_members} documents inside"
        elif self._n_unpacked[listed] > options.max_unpacked_mib * _MIB:
            self._bombs[listed] = f"more than {options.max_unpacked_mib} MiB inside"
        return listed in self._bombs

    def _open_member(self, container: Read, uri: str, member: Member) -> Read | None:
        read = _as_read(container, uri, member)
        before = self._known.get(uri)
        failure = self._refuse(read, member)
        if member.skip_rule:
            self._skip(read, before, EXCLUDED_INSIDE)
        elif self._workshop.rule_against(uri):
            self._skip(read, before, "")
        elif failure is not None:
            self._done.failed.append(failed_as(self._workshop, read, failure, "unpack"))
            self._keep_members(uri)
        elif before is not None and self._holds(read, before):
            self._done.still.append(before)
            self._keep_members(uri)
        else:
            return read
        return None

    def _refuse(self, read: Read, member: Member) -> Failure | None:
        """Why a member is not even looked at."""
        if member.code is not None:
            return Failure(member.code, member.detail)
        if read.uri.count(MEMBER) > _MAX_DEPTH:
            detail = f"more than {_MAX_DEPTH} containers in one another"
            return Failure(Reason.DECOMPRESSION_BOMB, detail)
        return None

    def _skip(self, read: Read, before: Known | None, key: str) -> None:
        if before is not None and before.outcome is not Outcome.SKIPPED:
            self._done.retired.append(before)
        else:
            seen = seen_as(self._workshop, read, "", key)
            # Of what is not read, not even what its bytes are is kept.
            self._done.skipped.append(replace(seen, sha256=None))
        self._done.removed += self._inside.get(read.uri, ())

    def _holds(self, read: Read, before: Known) -> bool:
        return has_same_bytes(read.fetched, before) and holds(
            before,
            self._inside.get(read.uri, ()),
            self._workshop.expected,
            self._workshop.rule_against,
        )

    def _fetch(self, listed: Listed) -> Fetched | Failure:
        limit = self._workshop.limits.max_file_mib
        try:
            with self._workshop.gate.turn():
                return fetch_attached(listed, limit * _MIB)
        except DocumentUnreadable as error:
            return Failure(Reason.SOURCE_UNREADABLE, str(error))
        except DocumentTooLarge as error:
            return Failure(Reason.TOO_LARGE, f"{error}, {limit} MiB are allowed")

    def _keep_members(self, container: str) -> None:
        """What is inside a container that is not opened stays as it is."""
        members = self._inside.get(container, ())
        self._done.still += members
        self._n_inside[_listed(container)] += len(members)


def _as_read(container: Read, uri: str, member: Member) -> Read:
    fetched = container.fetched
    listed = replace(container.listed, uri=uri, n_bytes=len(member.data))
    return Read(
        listed,
        replace(fetched, data=member.data, sha256=hashlib.sha256(member.data).hexdigest()),
    )


def _free_uri(container: str, name: str, taken: set[str]) -> str:
    """A member's uri, unlike those of the members before it, which may have had the same name."""
    name = name.replace(MEMBER, "%21/")
    uri, n_same = container + MEMBER + name, 1
    while uri in taken:
        n_same += 1
        uri = f"{container}{MEMBER}{n_same}~{name}"
    return uri


def _listed(uri: str) -> str:
    """The document of the listing that is `uri` or holds it."""
    return uri.partition(MEMBER)[0]


def _direct_member(container: str, uri: str) -> str:
    """The member of `container` that is `uri` or holds it, at whatever depth."""
    first = uri.removeprefix(container + MEMBER).split(MEMBER)[0]
    return container + MEMBER + first
