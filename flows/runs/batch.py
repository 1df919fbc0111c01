"""A batch of documents on its way: what it is worked on with, and what became of it so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from checks.contract import Contract
from flows.metadata.fields import SourceFields
from flows.runs.clock import StageClock
from flows.runs.fetched import Fetched
from flows.runs.gate import OPEN, Gate
from index.catalog.documents import Seen, Touched
from index.catalog.quarantine import Failed
from index.catalog.validations import Validation
from index.identity import document_id
from index.plan import Expectation, Known, Listed
from index.publishing import Prepared
from index.stores import Index
from parsers.contract import Limits, ParseOptions
from parsers.frames import Failure
from parsers.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Workshop:
    """What preparing documents of one source takes."""

    source: str
    index: Index
    sandbox: Sandbox
    contract: Contract
    fields: SourceFields
    rule_against: Callable[[str], str]
    """Of a uri, the rule in the settings that excludes it; empty if none does."""
    expected: Expectation
    clock: StageClock
    run_id: str
    listed_at: datetime | None = None
    """When the documents were listed."""
    gate: Gate = OPEN
    """What requests to the source wait at."""

    @property
    def limits(self) -> Limits:
        return self.sandbox.limits

    @property
    def options(self) -> ParseOptions:
        return self.sandbox.options


@dataclass(slots=True)
class PreparedBatch:
    """What became of a batch; each of its documents is in exactly one of the first six lists."""

    prepared: list[Prepared] = field(default_factory=list)
    failed: list[tuple[Seen, Failed]] = field(default_factory=list)
    touched: list[tuple[Touched, Known]] = field(default_factory=list)
    """What became of them is what it was."""
    still: list[Known] = field(default_factory=list)
    """Members of containers that were not opened, or could not be: they are as they were."""
    skipped: list[Seen] = field(default_factory=list)
    """Members that a rule excludes, as it did if they were known."""
    retired: list[Known] = field(default_factory=list)
    """Members that a rule excludes from now on."""
    removed: list[Known] = field(default_factory=list)
    """Members that their container no longer holds: not among those found."""
    n_members: int = 0
    """Documents that were found besides the listed ones, inside of them."""
    n_chunks: int = 0
    """Made, valid or not."""
    n_rejected: int = 0
    """Chunks that break the contract."""
    validations: list[Validation] = field(default_factory=list)
    """Of all documents that have chunks, whatever became of them."""


@dataclass(frozen=True, slots=True)
class Read:
    """A document of the batch whose bytes are at hand."""

    listed: Listed
    fetched: Fetched

    @property
    def uri(self) -> str:
        return self.listed.uri


def seen_as(workshop: Workshop, read: Read, media_type: str, key: str) -> Seen:
    return Seen(
        document_id=document_id(workshop.source, read.listed.uri),
        source=workshop.source,
        uri=read.listed.uri,
        stat_token=read.fetched.stat_token,
        stat_trusted=read.fetched.stat_trusted,
        n_bytes=len(read.fetched.data),
        source_modified_at=read.fetched.modified_at,
        sha256=read.fetched.sha256,
        media_type=media_type,
        parser_key=key,
        seen_at=workshop.listed_at,
    )


def touched_as(fetched: Fetched, before: Known) -> Touched:
    return Touched(
        before.document_id, fetched.stat_token, fetched.stat_trusted, fetched.modified_at
    )


def failed_as(workshop: Workshop, read: Read, failure: Failure, stage: str) -> tuple[Seen, Failed]:
    """The records of a document that was read and cannot be made searchable."""
    key = workshop.expected.failure_key(failure.media_type, failure.code)
    seen = seen_as(workshop, read, failure.media_type, key)
    return seen, Failed(
        document_id=seen.document_id,
        source=seen.source,
        uri=seen.uri,
        sha256=seen.sha256,
        code=failure.code,
        detail=failure.detail,
        stage=stage,
        parser=failure.parser,
        traceback=failure.traceback,
    )


def unread_as(workshop: Workshop, listed: Listed, failure: Failure) -> tuple[Seen, Failed]:
    """The records of a document whose bytes cannot be had."""
    seen = Seen(
        document_id=document_id(workshop.source, listed.uri),
        source=workshop.source,
        uri=listed.uri,
        stat_token=listed.stat_token,
        stat_trusted=True,
        n_bytes=listed.n_bytes,
        source_modified_at=listed.modified_at,
        sha256=None,
        media_type="",
        parser_key=workshop.expected.failure_key("", failure.code),
        seen_at=workshop.listed_at,
    )
    return seen, Failed(
        seen.document_id, seen.source, seen.uri, None, failure.code, failure.detail, "read"
    )
