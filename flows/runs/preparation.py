"""From listed documents to versions that are ready to be made searchable, or to failures.

read → parse → judge → chunk → validate. Each stage takes what the one before let through; what it
stops becomes a `Failed` with the reason, and no document stops another.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from checks.text_quality import TextQuality, judge
from flows.metadata.validation import Candidate, validate
from flows.runs.batch import PreparedBatch, Read, Workshop, failed_as, seen_as
from flows.runs.clock import Amounts
from flows.runs.reading import read_and_parse
from index.catalog.documents import Seen
from index.plan import Known, Listed, Outcome
from index.publishing import Prepared
from index.records import Provenance
from index.targets import identify
from parsers.document import ParsedDocument
from parsers.frames import Failure
from parsers.registry import parse_fingerprint


def prepare(
    workshop: Workshop, batch: Sequence[Listed], known: Mapping[str, Known], now: datetime
) -> PreparedBatch:
    """Read, parse, judge, chunk and validate documents.

    Args:
        workshop: With what.
        batch: Which.
        known: By uri, what the catalog knows of them and of their members.
        now: When they are taken to become searchable.

    Raises:
        SandboxBroken: Parsing is not possible at all.
    """
    done = PreparedBatch()
    parsed = read_and_parse(workshop, batch, known, done)
    candidates = [
        one for read, document in parsed if (one := _chunked(workshop, read, document, now, done))
    ]
    with workshop.clock.stage("validate"):
        validate(workshop, candidates, done, now)
    workshop.clock.count("validate", Amounts(len(candidates), done.n_chunks))
    return done


def _chunked(
    workshop: Workshop, read: Read, document: ParsedDocument, now: datetime, done: PreparedBatch
) -> Candidate | None:
    """Judge a document's text and cut it up."""
    workshop.clock.count("judge", Amounts(documents=1))
    with workshop.clock.stage("judge"):
        quality = judge(document)
    if quality.code is not None:
        parser = f"{document.parser} {document.parser_version}"
        failure = Failure(quality.code, quality.detail, document.media_type, parser)
        done.failed.append(failed_as(workshop, read, failure, "judge"))
        return None
    with workshop.clock.stage("chunk"):
        candidate = _candidate(workshop, read, document, quality, now)
    placed = [one.placement for one in candidate.prepared.chunks]
    n_tokens = sum(one.n_tokens for one in placed)
    workshop.clock.count("chunk", Amounts(1, len(placed), n_tokens))
    return candidate


def _candidate(
    workshop: Workshop, read: Read, document: ParsedDocument, quality: TextQuality, now: datetime
) -> Candidate:
    key = parse_fingerprint(read.fetched.sha256, document.media_type, workshop.options)
    workshop.index.texts.put(key, document)
    expected = workshop.expected.parser_key(document.media_type)
    seen = seen_as(workshop, read, document.media_type, expected)
    unusable = frozenset(problem.number for problem in quality.problems if problem.number)
    prepared = Prepared(
        seen=seen,
        provenance=_provenance(workshop, seen, document, read, now),
        text_key=key,
        outcome=Outcome.PARTIAL if quality.problems else Outcome.INDEXED,
        problems=tuple(
            {"number": p.number, "code": p.code.value, "detail": p.detail} for p in quality.problems
        ),
        chunks=tuple(
            one
            for target in workshop.index.targets
            for one in identify(target, seen.document_id, document, unusable_pages=unusable)
        ),
    )
    return Candidate(read, document, prepared)


def _provenance(
    workshop: Workshop, seen: Seen, document: ParsedDocument, read: Read, now: datetime
) -> Provenance:
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
        run_id=workshop.run_id,
        source_modified_at=read.fetched.modified_at,
        indexed_at=now,
        extra=workshop.fields.stated(document.properties),
    )
