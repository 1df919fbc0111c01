"""From listed documents to versions that are ready to be made searchable, or to failures.

read → parse → judge → chunk → validate. Each stage takes what the one before let through; what it
stops becomes a `Failed` with the reason, and no document stops another.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from checks.contract import Contract, ContractRow, Violation
from checks.text_quality import TextQuality, judge
from flows.clock import StageClock
from flows.sources import DocumentTooLarge, DocumentUnreadable, Fetched, fetch
from index.catalog.documents import Seen
from index.catalog.quarantine import Failed
from index.chunking import ChunkerSettings, chunk_document
from index.embedding import Embedder
from index.identity import chunk_ids, document_id, embedding_key
from index.plan import Expectation, Known, Listed, Outcome, still_holds
from index.publishing import IdentifiedChunk, Index, Prepared
from index.records import Placement, Provenance, chunk_metadata
from parsers.contract import Limits, ParseOptions
from parsers.document import ParsedDocument
from parsers.frames import Failure
from parsers.reasons import Reason
from parsers.registry import failure_key, parse_fingerprint, parser_key
from parsers.sandbox import Sandbox

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Workshop:
    """What preparing documents of one source takes."""

    source: str
    index: Index
    sandbox: Sandbox
    contract: Contract
    chunker: ChunkerSettings
    required_metadata: tuple[str, ...]
    expected: Expectation
    clock: StageClock
    run_id: str

    @property
    def limits(self) -> Limits:
        return self.sandbox.limits

    @property
    def options(self) -> ParseOptions:
        return self.sandbox.options


@dataclass(slots=True)
class PreparedBatch:
    """What became of a batch; each of its documents is in exactly one of the lists."""

    prepared: list[Prepared] = field(default_factory=list)
    failed: list[tuple[Seen, Failed]] = field(default_factory=list)
    touched: list[tuple[Seen, Known]] = field(default_factory=list)
    """Their bytes are what they were, and so is what became of them."""
    n_chunks: int = 0
    """Made, valid or not."""
    n_rejected: int = 0
    """Chunks that break the contract."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A document of the batch whose bytes are at hand."""

    listed: Listed
    fetched: Fetched


def prepare(
    workshop: Workshop, batch: Sequence[Listed], known: Mapping[str, Known], now: datetime
) -> PreparedBatch:
    """Read, parse, judge, chunk and validate documents.

    Args:
        workshop: With what.
        batch: Which.
        known: By uri, what the catalog knows of them.
        now: When they are taken to become searchable.

    Raises:
        SandboxBroken: Parsing is not possible at all.
    """
    done = PreparedBatch()
    changed = _read_all(workshop, batch, known, done)
    parsed = _parse_all(workshop, changed, done)
    candidates = [
        one for read, document in parsed if (one := _chunked(workshop, read, document, now, done))
    ]
    with workshop.clock.stage("validate"):
        _validate(workshop, candidates, done)
    return done


def _read_all(
    workshop: Workshop, batch: Iterable[Listed], known: Mapping[str, Known], done: PreparedBatch
) -> list[_Read]:
    changed = []
    for listed in batch:
        with workshop.clock.stage("read"):
            try:
                fetched = fetch(listed, workshop.limits.max_file_mib * _MIB)
            except DocumentUnreadable as error:
                done.failed.append(_unread(workshop, listed, Reason.SOURCE_UNREADABLE, str(error)))
                continue
            except DocumentTooLarge as error:
                detail = f"{error}, {workshop.limits.max_file_mib} MiB are allowed"
                done.failed.append(_unread(workshop, listed, Reason.TOO_LARGE, detail))
                continue
        before = known.get(listed.uri)
        read = _Read(listed, fetched)
        if before and still_holds(before, fetched.sha256, workshop.expected):
            seen = _seen(workshop, read, before.media_type, before.parser_key)
            done.touched.append((seen, before))
        else:
            changed.append(read)
    return changed


def _parse_all(
    workshop: Workshop, changed: Sequence[_Read], done: PreparedBatch
) -> list[tuple[_Read, ParsedDocument]]:
    parsed = []
    with workshop.clock.stage("parse"):
        sandboxed = workshop.sandbox.parse_all(
            (read.listed.uri, read.fetched.data) for read in changed
        )
        for read, result in zip(changed, sandboxed, strict=True):
            if isinstance(result, Failure):
                done.failed.append(
                    _failed(
                        workshop,
                        read,
                        result.code,
                        result.detail,
                        "parse",
                        media_type=result.media_type,
                        parser=result.parser,
                        traceback=result.traceback,
                    )
                )
            else:
                parsed.append((read, result))
    return parsed


def _chunked(
    workshop: Workshop, read: _Read, document: ParsedDocument, now: datetime, done: PreparedBatch
) -> "_Candidate | None":
    """Judge a document's text and cut it up."""
    with workshop.clock.stage("judge"):
        quality = judge(document)
    if quality.code is not None:
        parser = f"{document.parser} {document.parser_version}"
        done.failed.append(
            _failed(
                workshop,
                read,
                quality.code,
                quality.detail,
                "judge",
                media_type=document.media_type,
                parser=parser,
            )
        )
        return None
    with workshop.clock.stage("chunk"):
        return _candidate(workshop, read, document, quality, now)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A prepared version whose chunks have not been validated yet."""

    read: _Read
    document: ParsedDocument
    prepared: Prepared


def _candidate(
    workshop: Workshop, read: _Read, document: ParsedDocument, quality: TextQuality, now: datetime
) -> _Candidate:
    key = parse_fingerprint(read.fetched.sha256, document.media_type, workshop.options)
    workshop.index.texts.put(key, document)
    seen = _seen(
        workshop, read, document.media_type, parser_key(document.media_type, workshop.options)
    )
    unusable = frozenset(problem.number for problem in quality.problems)
    prepared = Prepared(
        seen=seen,
        provenance=_provenance(workshop, seen, document, read, now),
        text_key=key,
        outcome=Outcome.PARTIAL if quality.problems else Outcome.INDEXED,
        problems=tuple(
            {"number": p.number, "code": p.code.value, "detail": p.detail} for p in quality.problems
        ),
        chunks=_identified(workshop, seen.document_id, document, unusable),
    )
    return _Candidate(read, document, prepared)


def _identified(
    workshop: Workshop, document: str, parsed: ParsedDocument, unusable_pages: frozenset[int]
) -> tuple[IdentifiedChunk, ...]:
    embedder: Embedder = workshop.index.embedder
    chunks = chunk_document(
        parsed, embedder.counter, workshop.chunker, unusable_pages=unusable_pages
    )
    generation, model = workshop.index.generation, embedder.files
    ids = chunk_ids(document, generation.id, [chunk.text for chunk in chunks])
    return tuple(
        IdentifiedChunk(
            chunk,
            Placement(
                chunk_id=chunk_id,
                ordinal=chunk.ordinal,
                char_start=chunk.start,
                char_end=chunk.end,
                heading_path=chunk.heading_path,
                page_first=chunk.page_first,
                page_last=chunk.page_last,
                n_tokens=chunk.n_tokens,
                embedding_key=embedding_key(model.name, model.revision, chunk.embedding_text),
            ),
        )
        for chunk_id, chunk in zip(ids, chunks, strict=True)
    )


def _provenance(
    workshop: Workshop, seen: Seen, document: ParsedDocument, read: _Read, now: datetime
) -> Provenance:
    properties = document.properties
    return Provenance(
        document_id=seen.document_id,
        source=workshop.source,
        uri=seen.uri,
        version=read.fetched.sha256,
        media_type=document.media_type,
        parser=document.parser,
        parser_version=document.parser_version,
        title=document.title,
        language=document.language,
        generation=workshop.index.generation.id,
        run_id=workshop.run_id,
        source_modified_at=read.fetched.modified_at,
        indexed_at=now,
        extra={k: properties[k] for k in workshop.required_metadata if k in properties},
    )


def _validate(workshop: Workshop, candidates: Sequence[_Candidate], done: PreparedBatch) -> None:
    rows: list[ContractRow] = []
    owners: list[int] = []
    for number, candidate in enumerate(candidates):
        rows.extend(_rows(candidate))
        owners.extend([number] * len(candidate.prepared.chunks))
    broken: dict[int, list[Violation]] = {}
    for violation in workshop.contract.validate(rows) if rows else ():
        broken.setdefault(owners[violation.row], []).append(violation)
    done.n_chunks += len(rows)
    for number, candidate in enumerate(candidates):
        if violations := broken.get(number):
            done.n_rejected += len({violation.row for violation in violations})
            done.failed.append(_invalid(workshop, candidate, violations))
        else:
            done.prepared.append(candidate.prepared)


def _rows(candidate: _Candidate) -> Iterable[ContractRow]:
    text = candidate.document.text
    for one in candidate.prepared.chunks:
        placed = one.placement
        metadata = chunk_metadata(candidate.prepared.provenance, placed)
        yield ContractRow(metadata, one.chunk.text, text[placed.char_start : placed.char_end])


def _invalid(
    workshop: Workshop, candidate: _Candidate, violations: Sequence[Violation]
) -> tuple[Seen, Failed]:
    first = min(violations, key=lambda one: (one.code is not Reason.METADATA_MISSING, one.row))
    n_rows = len({violation.row for violation in violations})
    n_chunks = len(candidate.prepared.chunks)
    detail = f"{first.field}: {first.rule}, {n_rows} of {n_chunks} chunks"
    media_type = candidate.document.media_type
    return _failed(workshop, candidate.read, first.code, detail, "validate", media_type=media_type)


def _failed(
    workshop: Workshop,
    read: _Read,
    code: Reason,
    detail: str,
    stage: str,
    *,
    media_type: str = "",
    parser: str = "",
    traceback: str = "",
) -> tuple[Seen, Failed]:
    key = failure_key(media_type, workshop.options, workshop.limits)
    seen = _seen(workshop, read, media_type, key)
    return seen, Failed(
        document_id=seen.document_id,
        source=seen.source,
        uri=seen.uri,
        sha256=seen.sha256,
        code=code,
        detail=detail,
        stage=stage,
        parser=parser,
        traceback=traceback,
    )


def _unread(workshop: Workshop, listed: Listed, code: Reason, detail: str) -> tuple[Seen, Failed]:
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
        parser_key=failure_key("", workshop.options, workshop.limits),
    )
    return seen, Failed(seen.document_id, seen.source, seen.uri, None, code, detail, "read")


def _seen(workshop: Workshop, read: _Read, media_type: str, key: str) -> Seen:
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
    )
