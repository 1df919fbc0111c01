"""Documents together with their sidecars: the files that say something of them.

A change to either makes the document be read again. What a sidecar belongs to can be told from its
name alone, so an unchanged one is not opened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from flows.runs.conversations import fetch_gathered
from flows.runs.fetched import DocumentTooLarge, DocumentUnreadable, Fetched
from flows.runs.sources import fetch
from index.plan import Known, Listed
from parsers.sidecar import MAX_BYTES, SUFFIXES

SIDECAR: Final = "sidecar of "
_BESIDE: Final = "\n"
"""Between a document's own stat token and those of its sidecars."""


def attach(listing: Sequence[Listed]) -> list[Listed]:
    """A listing in which documents have their sidecars, and these are no documents."""
    by_uri = {one.uri: one for one in listing}
    return [_attached(one, by_uri) for one in listing]


def fetch_attached(listed: Listed, max_bytes: int) -> Fetched:
    """As `flows.runs.sources.fetch`, with the sidecars' bytes."""
    fetched = fetch_gathered(listed, max_bytes)
    if not listed.sidecars:
        return fetched
    beside = [_fetch_sidecar(sidecar) for sidecar in listed.sidecars]
    own = fetched.stat_token.partition(_BESIDE)[0]
    return replace(
        fetched,
        modified_at=_newest([fetched, *beside]),
        stat_token=_joined(own, (sidecar.stat_token for sidecar in beside)),
        stat_trusted=fetched.stat_trusted and all(sidecar.stat_trusted for sidecar in beside),
        sidecars=tuple(
            (listed.uri, sidecar.data)
            for listed, sidecar in zip(listed.sidecars, beside, strict=True)
        ),
    )


def has_same_bytes(fetched: Fetched, before: Known) -> bool:
    """Whether a document is what it was, and its sidecars seem to be."""
    beside, beside_before = (
        token.partition(_BESIDE)[2] for token in (fetched.stat_token, before.stat_token)
    )
    return fetched.sha256 == before.sha256 and beside == beside_before


def counted_as(rule: str) -> str:
    """A rule as reports count it: one for all sidecars."""
    return "sidecar of another document" if rule.startswith(SIDECAR) else rule


def _attached(listed: Listed, by_uri: dict[str, Listed]) -> Listed:
    if document := _document_of(listed.uri, by_uri):
        return replace(listed, skip_rule=listed.skip_rule or f"{SIDECAR}{document}")
    found = (by_uri.get(listed.uri + suffix) for suffix in SUFFIXES)
    sidecars = tuple(one for one in found if one is not None and not one.skip_rule)
    if not sidecars:
        return listed
    token = _joined(listed.stat_token, (one.stat_token for one in sidecars))
    modified_at = _newest([listed, *sidecars])
    return replace(listed, sidecars=sidecars, stat_token=token, modified_at=modified_at)


def _document_of(uri: str, by_uri: dict[str, Listed]) -> str:
    """What a file is the sidecar of; empty if of nothing that is listed."""
    names = (uri.removesuffix(suffix) for suffix in SUFFIXES if uri.endswith(suffix))
    return next((name for name in names if name in by_uri), "")


def _joined(own: str, beside: Iterable[str]) -> str:
    return _BESIDE.join([own, *beside])


def _newest(files: Iterable[Listed | Fetched]) -> datetime | None:
    return max((one.modified_at for one in files if one.modified_at), default=None)


def _fetch_sidecar(sidecar: Listed) -> Fetched:
    name = sidecar.uri.rpartition("/")[2]
    try:
        return fetch(sidecar, MAX_BYTES)
    except DocumentUnreadable as error:
        raise DocumentUnreadable(f"sidecar {name}: {error}") from error
    except DocumentTooLarge as error:
        raise DocumentUnreadable(f"sidecar {name}: more than {MAX_BYTES} bytes") from error
