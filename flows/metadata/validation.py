"""Prepared versions against the metadata contract: repaired where they can be, kept or refused.

Once for a batch: all its chunks are validated together; documents that lack a field, or have a
wrong one, get what the resolvers give and are validated again; what is still wrong decides over its
own document and no other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from checks.contract import SUITE_VERSION, Violation, code_of
from checks.resolvers import Resolver, resolve
from checks.rows import ContractRow
from checks.rules import Severity
from flows.metadata.fields import SourceFields
from flows.metadata.lookups import LookupFailed
from flows.runs.batch import PreparedBatch, Read, Workshop, failed_as
from index.catalog.documents import Seen
from index.catalog.quarantine import Failed
from index.catalog.validations import MAX_IDS, BrokenRule, Validation
from index.plan import Outcome
from index.publishing import Prepared
from index.records import Provenance, chunk_metadata
from index.targets import IdentifiedChunk
from parsers.document import ParsedDocument
from parsers.frames import Failure
from parsers.reasons import Reason
from parsers.sidecar import read_sidecar


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prepared version that has not been validated yet."""

    read: Read
    document: ParsedDocument
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class _Case:
    """A candidate and what its chunks break."""

    candidate: Candidate
    violations: tuple[Violation, ...]
    """`row` is the position among the candidate's chunks."""
    origins: Mapping[str, Resolver] = field(default_factory=dict)
    """By field, what gave it the value that it has."""

    @property
    def invalid(self) -> set[int]:
        """Rows that may not become searchable."""
        return {one.row for one in self.violations if one.severity is Severity.ERROR}


class _SidecarBroken(Exception):
    """A sidecar is no object with fields; the message names it."""


def validate(
    workshop: Workshop, candidates: Sequence[Candidate], done: PreparedBatch, now: datetime
) -> None:
    """Sort candidates into those that are prepared and those that failed.

    Args:
        workshop: With what.
        candidates: Which.
        done: Told what became of them.
        now: What no time may be far ahead of.
    """
    done.n_chunks += sum(len(one.prepared.chunks) for one in candidates)
    settled: list[_Case] = []
    repaired: list[_Case] = []
    for case in _judged(workshop, candidates, now):
        try:
            better = _repaired(workshop.fields, case)
        except (LookupFailed, _SidecarBroken) as error:
            done.failed.append(_refused(workshop, case.candidate, error))
            continue
        (settled if better.candidate is case.candidate else repaired).append(better)
    again = _judged(workshop, [case.candidate for case in repaired], now)
    settled += [
        replace(case, origins=before.origins) for case, before in zip(again, repaired, strict=True)
    ]
    for case in settled:
        _settle(workshop, case, done, now)


def _judged(workshop: Workshop, candidates: Sequence[Candidate], now: datetime) -> list[_Case]:
    rows: list[ContractRow] = []
    places: list[tuple[int, int]] = []
    for number, candidate in enumerate(candidates):
        of_candidate = list(_rows(candidate))
        rows += of_candidate
        places += [(number, row) for row in range(len(of_candidate))]
    found: list[list[Violation]] = [[] for _ in candidates]
    for violation in workshop.contract.validate(rows, now) if rows else ():
        number, row = places[violation.row]
        found[number].append(replace(violation, row=row))
    return [
        _Case(candidate, tuple(violations), _stated(candidate))
        for candidate, violations in zip(candidates, found, strict=True)
    ]


def _rows(candidate: Candidate) -> Iterable[ContractRow]:
    prepared = candidate.prepared
    return rows_of(prepared.provenance, candidate.document, prepared.chunks)


def rows_of(
    provenance: Provenance, document: ParsedDocument, chunks: Iterable[IdentifiedChunk]
) -> Iterable[ContractRow]:
    """A version's chunks as the contract is held against them."""
    for one in chunks:
        placed = one.placement
        yield ContractRow(
            chunk_metadata(provenance, placed),
            one.chunk.text,
            document.text[placed.char_start : placed.char_end],
            len(document.pages) or None,
        )


def _stated(candidate: Candidate) -> dict[str, Resolver]:
    return dict.fromkeys(candidate.prepared.provenance.extra, Resolver.DOCUMENT)


def _repaired(fields: SourceFields, case: _Case) -> _Case:
    """A case whose candidate has what the resolvers give; the same one if that is nothing.

    Raises:
        LookupFailed: A service that should know a field does not answer.
        _SidecarBroken: The document has a sidecar that says nothing.
    """
    if not fields.fillable:
        return case
    provenance = case.candidate.prepared.provenance
    sidecar = _read_sidecars(case.candidate.read)
    stated = {name for name, value in provenance.extra.items() if value.strip()}
    wrong = stated & {violation.field for violation in case.violations}
    wanted = [name for name in fields.fillable if name in wrong or name not in stated]
    found = resolve(wanted, wrong, fields.resolvers(provenance.uri, sidecar))
    if not found:
        return case
    extra = {**provenance.extra, **{name: one.value for name, one in found.items()}}
    prepared = replace(case.candidate.prepared, provenance=replace(provenance, extra=extra))
    origins = {**case.origins, **{name: one.resolver for name, one in found.items()}}
    return replace(case, candidate=replace(case.candidate, prepared=prepared), origins=origins)


def _read_sidecars(read: Read) -> dict[str, str]:
    values: dict[str, str] = {}
    for uri, data in read.fetched.sidecars:
        said = read_sidecar(uri, data)
        if said is None:
            name = uri.rpartition("/")[2]
            raise _SidecarBroken(f"sidecar {name} is no object with fields")
        values = {**said, **values}
    return values


def _settle(workshop: Workshop, case: _Case, done: PreparedBatch, now: datetime) -> None:
    prepared, invalid = case.candidate.prepared, case.invalid
    done.n_rejected += len(invalid)
    keeps_some = workshop.fields.drops_chunks and len(invalid) < len(prepared.chunks)
    if not invalid:
        done.prepared.append(prepared)
    elif keeps_some:
        done.prepared.append(_without(prepared, case))
    else:
        done.failed.append(_invalid(workshop, case))
    if prepared.chunks:
        n_dropped = len(invalid) if keeps_some else 0
        done.validations.append(_validation(case, n_dropped, now))


def _without(prepared: Prepared, case: _Case) -> Prepared:
    """A version without the chunks that break the contract."""
    invalid = case.invalid
    kept = tuple(one for row, one in enumerate(prepared.chunks) if row not in invalid)
    problems: list[dict[str, Any]] = [
        {
            "number": None,
            "code": code_of(broken.rule).value,
            "detail": f"{broken.n} chunks left out: {broken.field}: {broken.rule}",
        }
        for broken in _broken_rules(case)
        if broken.severity == Severity.ERROR
    ]
    return replace(
        prepared,
        chunks=kept,
        outcome=Outcome.PARTIAL,
        problems=(*prepared.problems, *problems),
    )


def _validation(case: _Case, n_dropped: int, now: datetime) -> Validation:
    seen, chunks = case.candidate.prepared.seen, case.candidate.prepared.chunks
    warned = {one.row for one in case.violations if one.severity is Severity.WARNING}
    return Validation(
        document_id=seen.document_id,
        uri=seen.uri,
        suite_version=SUITE_VERSION,
        checked_at=now,
        n_chunks=len(chunks),
        n_invalid=len(case.invalid),
        n_dropped=n_dropped,
        n_warned=len(warned),
        failures=_broken_rules(case),
        origins={name: resolver.value for name, resolver in case.origins.items()},
    )


def _broken_rules(case: _Case) -> tuple[BrokenRule, ...]:
    chunks = case.candidate.prepared.chunks
    rows: dict[tuple[str, str, str], list[int]] = {}
    for one in case.violations:
        rows.setdefault((one.field, one.rule, one.severity.value), []).append(one.row)
    return tuple(
        BrokenRule(*key, len(broken), tuple(chunks[n].placement.chunk_id for n in broken[:MAX_IDS]))
        for key, broken in rows.items()
    )


def _invalid(workshop: Workshop, case: _Case) -> tuple[Seen, Failed]:
    errors = [one for one in case.violations if one.severity is Severity.ERROR]
    first = min(errors, key=lambda one: (one.code is not Reason.METADATA_MISSING, one.row))
    n_chunks = len(case.candidate.prepared.chunks)
    detail = (
        f"{first.field}: {first.rule}, in {len(case.invalid)} of {n_chunks} chunks, "
        f"the first is number {first.row + 1}"
    )
    failure = Failure(first.code, detail, case.candidate.document.media_type)
    return failed_as(workshop, case.candidate.read, failure, "validate")


def _refused(workshop: Workshop, candidate: Candidate, error: Exception) -> tuple[Seen, Failed]:
    """What becomes of a document whose fields cannot be looked up, or whose sidecar is broken."""
    is_worldly = isinstance(error, LookupFailed)
    code = Reason.SOURCE_UNREADABLE if is_worldly else Reason.METADATA_INVALID
    failure = Failure(code, str(error), candidate.document.media_type)
    return failed_as(workshop, candidate.read, failure, "validate")
