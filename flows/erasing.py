"""Erasing documents: the lease, the proof by reading everything back, and the receipt."""

import getpass
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from flows.errors import NotErased, UsageError
from flows.orchestration.runtime import is_configured
from flows.runs.lease import index_lease, is_shared
from flows.settings import Settings
from flows.wiring import open_catalog, open_vectors, text_store
from index.catalog import erased
from index.catalog.database import Catalog
from index.catalog.erased import Held
from index.catalog.generations import all_generations
from index.erasure.erasing import Cleared, Forgotten, clear, forget, remaining
from index.erasure.inspection import Inspection, Trace, inspect
from index.erasure.rewriting import Stores
from index.errors import StoreBusy
from index.identity import document_id
from index.records import iso

RECEIPTS: Final = "receipts"
_NAMED: Final = 100
"""Documents that a receipt names, of each kind."""
_NEVER_PROVEN: Final = (
    "the source: its file was neither changed nor removed",
    "backups and other copies of the state directory",
    "what the file system has freed on the disk and not overwritten yet",
    "what was given out before: search results, alerts, logs kept elsewhere",
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, and how it was made sure of. It holds nothing of the content."""

    source: str
    uri: str
    document_id: str
    at: datetime
    who: str
    forgotten: Forgotten
    cleared: Cleared
    seen: Inspection
    not_proven: tuple[str, ...]
    seconds: float
    with_hashes: bool
    """Whether to name the sha256 of the versions: who has the content can tell by it."""

    def as_json(self) -> dict[str, Any]:
        """For `--json` and the receipt's file."""
        shown = {
            "source": self.source,
            "uri": self.uri,
            "document_id": self.document_id,
            "erased_at": iso(self.at),
            "erased_by": self.who,
            "seconds": round(self.seconds, 1),
            "documents": len(self.forgotten.documents),
            "members": _named(self.forgotten.documents, but=self.uri),
            "removed": self._removed(),
            "chunks_written_anew": self.cleared.rewritten and self.cleared.rewritten.n_chunks,
            "chunks_lost": self.cleared.rewritten and self.cleared.rewritten.n_lost,
            "same_bytes": _named(self.forgotten.same_bytes),
            "same_words": _named(self.cleared.sharing),
            "proof": self._proof(),
            "uri_still_in": dict(self.seen.of(Trace.URI)),
            "chunk_ids_still_in": dict(self.seen.of(Trace.CHUNK_ID)),
            "not_proven": list(self.not_proven),
        }
        return shown | ({"sha256": sorted(self.forgotten.hashes)} if self.with_hashes else {})

    def _removed(self) -> dict[str, Any]:
        evidence = self.cleared.evidence
        return {
            "rows": dict(sorted(self.forgotten.rows.items())),
            "embeddings": len(evidence.embedding_keys),
            "texts": len(evidence.text_keys),
            "vectors": self.cleared.n_vectors,
        }

    def _proof(self) -> dict[str, int]:
        evidence, seen = self.cleared.evidence, self.seen
        return {
            "probes": len(evidence.words),
            "probes_left_out": evidence.n_words_shared,
            "vectors": len(evidence.vectors),
            "vectors_left_out": evidence.n_vectors_shared,
            "chunk_ids": len(self.forgotten.chunk_ids),
            "files_read": seen.n_files,
            "objects_read": seen.n_objects,
            "bytes_read": seen.n_bytes,
            "text_matches": seen.of(Trace.TEXT).total(),
            "vector_matches": seen.of(Trace.VECTOR).total(),
            "rows_and_vectors_left": 0,
        }


def _named(documents: tuple[Held, ...], *, but: str = "") -> list[str]:
    return [one.uri for one in documents if one.uri != but][:_NAMED]


def find(settings: Settings, uri: str, source: str | None) -> list[Held]:
    """What erasing a document would remove: it and what it holds.

    Raises:
        UsageError: There is no such document, or it is in several sources.
        StoreUnavailable: The catalog cannot be read.
    """
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        named = _source_of(catalog, uri, source)
        return erased.document_and_members(connection, named, uri)


def erase(
    settings: Settings,
    uri: str,
    source: str | None = None,
    *,
    wait_s: float = 0,
    with_hashes: bool = False,
    report: Callable[[int], None] = lambda n: None,
) -> Receipt:
    """Remove a document and all that came from it, and make sure that it is gone.

    It can be erased again: if that was interrupted, or to have the proof once more.

    Args:
        settings: That say where the stores are.
        uri: The document's.
        source: The document's; needed where several sources have one with this uri.
        wait_s: How long to wait for another process that writes.
        with_hashes: Have the receipt name the sha256 of what was erased.
        report: Told how many chunks of other documents were written anew, from time to time.

    Raises:
        UsageError: There is no such document, or it is in several sources.
        LeaseHeld: Another process writes, longer than that.
        StoreBusy: `headwater up` has the vectors open; nothing was erased.
        StoreUnavailable: A store failed: erase it again.
        NotErased: Something of it is still there.
    """
    began, now, who = time.monotonic(), datetime.now(UTC), _who()
    with open_catalog(settings) as catalog, index_lease(settings, catalog, wait_s=wait_s):
        named = _source_of(catalog, uri, source)
        with _open_stores(settings, catalog) as stores:
            _require_files(settings, stores)
            forgotten = forget(stores, named, uri, who, now)
            cleared = clear(stores, report)
            n_left = remaining(stores, forgotten, cleared)
        seen = inspect(
            settings.state_dir,
            cleared.evidence,
            outside=stores.texts.outside(),
            chunk_ids=forgotten.chunk_ids,
            uris={uri, *(one.uri for one in forgotten.documents)},
        )
    _require_gone(seen, n_left)
    receipt = Receipt(
        named,
        uri,
        document_id(named, uri),
        now,
        who,
        forgotten,
        cleared,
        seen,
        (*_NEVER_PROVEN, *_not_proven(settings, seen)),
        time.monotonic() - began,
        with_hashes,
    )
    _write(settings.state_dir / RECEIPTS, receipt)
    return receipt


def allow(settings: Settings, uri: str, source: str | None = None, *, wait_s: float = 0) -> str:
    """Have the next run read a document again that was erased.

    Args:
        settings: That say where the stores are.
        uri: The document's.
        source: The document's; needed where several sources have one with this uri.
        wait_s: How long to wait for another process that writes.

    Returns:
        The name of its source.

    Raises:
        UsageError: It is not excluded, or only with a document that it lies in.
        LeaseHeld: Another process writes, longer than that.
    """
    with open_catalog(settings) as catalog, index_lease(settings, catalog, wait_s=wait_s):
        named = _source_of(catalog, uri, source)
        with catalog.writing() as connection:
            if erased.allow(connection, named, uri):
                return named
    raise UsageError(f"{uri} of {named} was not erased: there is nothing to allow")


@contextmanager
def _open_stores(settings: Settings, catalog: Catalog) -> Iterator[Stores]:
    with catalog.reading() as connection:
        generations = tuple(all_generations(connection))
    with closing(open_vectors(settings)) as vectors:
        yield Stores(catalog, text_store(settings), vectors, generations)


def _source_of(catalog: Catalog, uri: str, source: str | None) -> str:
    with catalog.reading() as connection:
        sources = erased.sources_of(connection, uri)
    if source is not None:
        sources &= {source}
    if len(sources) > 1:
        names = ", ".join(sorted(sources))
        raise UsageError(f"{uri} is in several sources ({names}): say which with --source")
    if not sources:
        where = f"in {source} " if source else ""
        raise UsageError(f"no document {where}is or was called {uri}")
    return sources.pop()


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _require_files(settings: Settings, stores: Stores) -> None:
    """Chroma's folder must be ours to write anew: its files keep what is deleted."""
    with stores.vectors.at_rest() as folder:
        if folder is None and not settings.vectors_url:
            raise StoreBusy(
                "vectors: `headwater up` has them open, and their files keep what is deleted",
                "Stop it, erase, and start it again.",
            )


def _require_gone(seen: Inspection, n_left: int) -> None:
    places = [*seen.of(Trace.TEXT), *seen.of(Trace.VECTOR)]
    if n_left:
        places.insert(0, f"{n_left} rows, vectors and texts of the stores")
    if places:
        raise NotErased(
            f"something of the document is still there: {', '.join(dict.fromkeys(places))}. "
            "It is excluded and no search finds it; erase it again, and report this if it stays"
        )


def _not_proven(settings: Settings, seen: Inspection) -> list[str]:
    """What could not be read back, or not in full."""
    gaps = [f"{name}: damaged, and looked through as it is" for name in seen.damaged]
    if settings.vectors_url:
        gaps.append("the files of the Chroma server, which keep vectors and words that are deleted")
    if settings.catalog_url:
        gaps.append("the files of the database server, its log and its replicas")
    if settings.texts_url:
        gaps.append(
            f"what the store at {settings.texts_url} keeps of objects that are deleted: older "
            "versions, unfinished uploads and replicas are its to delete"
        )
    elif is_shared(settings):
        gaps.append("texts in the state directories of other machines")
    if is_configured():
        gaps.append("the records of the Prefect server, which name uris")
    return gaps


def _write(folder: Path, receipt: Receipt) -> None:
    folder.mkdir(exist_ok=True)
    name = f"{receipt.at:%Y%m%dT%H%M%S.%fZ}-{receipt.document_id}.json"
    with (folder / name).open("x", encoding="utf-8") as file:
        json.dump(receipt.as_json(), file, ensure_ascii=False, indent=2)
