"""Documents and their versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.batching import batches
from index.catalog import tables
from index.catalog.upsert import upsert
from index.plan import Known, Outcome
from index.records import Provenance
from parsers.reasons import Reason


@dataclass(frozen=True, slots=True)
class Seen:
    """A document as a run found it: what its row says besides what became of it."""

    document_id: str
    source: str
    uri: str
    stat_token: str
    stat_trusted: bool
    n_bytes: int
    source_modified_at: datetime | None
    sha256: str | None
    """Of its bytes; None if they could not be read."""
    media_type: str
    parser_key: str
    seen_at: datetime | None = None
    """When the run listed it; None if that was just now."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A document that was read, and whose bytes are what they were."""

    document_id: str
    stat_token: str
    stat_trusted: bool
    source_modified_at: datetime | None


def known_documents(connection: Connection, source: str) -> dict[str, Known]:
    """By uri, the documents of a source that were not gone at the last run."""
    found, entry = tables.document.c, tables.quarantine.c
    query = (
        sa.select(
            found.id,
            found.uri,
            found.outcome,
            found.stat_token,
            found.stat_trusted,
            found.sha256,
            found.n_bytes,
            found.media_type,
            found.parser_key,
            found.current_version.is_not(None).label("searchable"),
            sa.case((entry.state != "resolved", entry.code), else_=None).label("code"),
        )
        .outerjoin(tables.quarantine, entry.document_id == found.id)
        .where(found.source == source, found.removed_at.is_(None))
    )
    return {row["uri"]: _known(row) for row in connection.execute(query).mappings()}


def _known(row: RowMapping) -> Known:
    return Known(
        document_id=row["id"],
        uri=row["uri"],
        outcome=Outcome(row["outcome"]),
        stat_token=row["stat_token"],
        stat_trusted=row["stat_trusted"],
        sha256=row["sha256"],
        n_bytes=row["n_bytes"],
        media_type=row["media_type"],
        parser_key=row["parser_key"],
        searchable=row["searchable"],
        code=Reason(row["code"]) if row["code"] else None,
    )


def save_seen(
    connection: Connection, seen: Sequence[Seen], outcome: Outcome, now: datetime
) -> None:
    """Write documents' rows, new or not; what is searchable of them stays as it is."""
    rows = [
        {
            "id": one.document_id,
            "source": one.source,
            "uri": one.uri,
            "outcome": outcome,
            "stat_token": one.stat_token,
            "stat_trusted": one.stat_trusted,
            "n_bytes": one.n_bytes,
            "source_modified_at": one.source_modified_at,
            "sha256": one.sha256,
            "media_type": one.media_type,
            "parser_key": one.parser_key,
            "first_seen_at": one.seen_at or now,
            "removed_at": None,
            "stale_since": None,
        }
        for one in seen
    ]
    # What cannot be read is served as it was, and so as stale as it was.
    keep = ("stale_since",) if outcome is Outcome.QUARANTINED else ()
    upsert(connection, tables.document, rows, keep=("first_seen_at", *keep))


def save_stat(connection: Connection, touched: Sequence[Touched]) -> None:
    """Note what documents look like in their source's listing from now on."""
    update = sa.update(tables.document).where(tables.document.c.id == sa.bindparam("b_id"))
    rows = [
        {
            "b_id": one.document_id,
            "stat_token": one.stat_token,
            "stat_trusted": one.stat_trusted,
            "source_modified_at": one.source_modified_at,
        }
        for one in touched
    ]
    if rows:
        connection.execute(update, rows)


def start_version(
    connection: Connection,
    provenance: Provenance,
    *,
    version_id: str,
    text_key: str,
    problems: list[dict[str, Any]],
) -> int:
    """Make a version the current one of its document, in place of the one before.

    Returns:
        Its row's id.
    """
    retire_versions(connection, [provenance.document_id], provenance.indexed_at)
    version: int = connection.execute(
        sa.insert(tables.version)
        .values(
            version_id=version_id,
            document_id=provenance.document_id,
            sha256=provenance.version,
            text_key=text_key,
            media_type=provenance.media_type,
            parser=provenance.parser,
            parser_version=provenance.parser_version,
            title=provenance.title,
            language=provenance.language,
            properties=dict(provenance.extra),
            problems=problems,
            source_modified_at=provenance.source_modified_at,
            run_id=provenance.run_id,
            indexed_at=provenance.indexed_at,
        )
        .returning(tables.version.c.id)
    ).scalar_one()
    connection.execute(
        sa.update(tables.document)
        .where(tables.document.c.id == provenance.document_id)
        .values(current_version=version)
    )
    return version


def retire_versions(connection: Connection, document_ids: Sequence[str], now: datetime) -> None:
    """Note that the current versions of documents are searchable no more."""
    for some in batches(document_ids):
        connection.execute(
            sa.update(tables.version)
            .where(tables.version.c.document_id.in_(some), tables.version.c.retired_at.is_(None))
            .values(retired_at=now)
        )
        connection.execute(
            sa.update(tables.document)
            .where(tables.document.c.id.in_(some))
            .values(current_version=None)
        )


def mark_removed(connection: Connection, document_ids: Sequence[str], now: datetime) -> None:
    """Note that documents are gone from their source."""
    _update_documents(connection, document_ids, removed_at=now)


def mark_skipped(connection: Connection, document_ids: Sequence[str]) -> None:
    """Note that a rule excludes documents that were read before."""
    _update_documents(connection, document_ids, outcome=Outcome.SKIPPED)


def forget_result(connection: Connection, document_ids: Sequence[str]) -> None:
    """Have documents looked at again by the next run, whatever it finds."""
    _update_documents(connection, document_ids, parser_key="")


def _update_documents(
    connection: Connection, document_ids: Sequence[str], **values: object
) -> None:
    for some in batches(document_ids):
        connection.execute(
            sa.update(tables.document).where(tables.document.c.id.in_(some)).values(**values)
        )


def find_by_uri(connection: Connection, uri: str) -> Sequence[RowMapping]:
    """Documents with this uri, in whichever source."""
    query = sa.select(tables.document).where(tables.document.c.uri == uri)
    return connection.execute(query.order_by(tables.document.c.source)).mappings().all()


def find_document(connection: Connection, document_id: str) -> RowMapping | None:
    query = sa.select(tables.document).where(tables.document.c.id == document_id)
    return connection.execute(query).mappings().one_or_none()


def versions_of(connection: Connection, document_id: str) -> Sequence[RowMapping]:
    """All versions of a document that are kept, oldest first."""
    version = tables.version.c
    query = sa.select(tables.version).where(version.document_id == document_id)
    return connection.execute(query.order_by(version.id)).mappings().all()


@dataclass(frozen=True, slots=True)
class CurrentVersion:
    """What is searchable of a document."""

    id: int
    """`version.id`."""
    provenance: Provenance
    text_key: str
    problems: Sequence[dict[str, Any]]

    @property
    def unusable_pages(self) -> frozenset[int]:
        """1-based numbers of the pages that are left out."""
        return _numbers(self.problems)


def unusable_pages(connection: Connection, version: int) -> frozenset[int]:
    """1-based numbers of the pages that are left out of a version."""
    one = tables.version.c
    problems = connection.scalar(sa.select(one.problems).where(one.id == version))
    return _numbers(problems or [])


def _numbers(problems: Sequence[dict[str, Any]]) -> frozenset[int]:
    return frozenset(one["number"] for one in problems if one["number"])


def page_of_versions(connection: Connection, after: str, size: int) -> list[CurrentVersion]:
    """The next documents by id that are searchable, after `after`; at most `size`.

    Ids are hashes: a page is a sample drawn at random.
    """
    found, version = tables.document.c, tables.version.c
    query = (
        sa.select(found.source, found.uri, *tables.version.c)
        .join(tables.version, found.current_version == version.id)
        .where(found.id > after)
        .order_by(found.id)
        .limit(size)
    )
    return [
        CurrentVersion(row["id"], provenance_of(row), row["text_key"], row["problems"])
        for row in connection.execute(query).mappings()
    ]


def provenance_of(row: RowMapping) -> Provenance:
    """Of a version's row, with the uri and the source of its document."""
    return Provenance(
        document_id=row["document_id"],
        source=row["source"],
        uri=row["uri"],
        version=row["sha256"],
        media_type=row["media_type"],
        parser=row["parser"],
        parser_version=row["parser_version"],
        title=row["title"],
        language=row["language"],
        run_id=row["run_id"],
        source_modified_at=row["source_modified_at"],
        indexed_at=row["indexed_at"],
        extra=row["properties"],
    )


def count_searchable(connection: Connection, after: str = "") -> int:
    """How many documents have a version that is current, of those with an id after `after`."""
    found = tables.document.c
    query = sa.select(sa.func.count()).select_from(tables.document)
    return connection.scalar(query.where(found.current_version.is_not(None), found.id > after)) or 0
