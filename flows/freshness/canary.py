"""A document of our own that is changed to see how long that takes until a search finds it."""

import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import Connection

from flows.errors import RunFailed, UsageError
from flows.searching import find_now
from flows.settings import Settings
from flows.source_settings import SourceSettings
from flows.wiring import open_catalog, open_embedder
from index.catalog import quarantine
from index.catalog.generations import Generation
from index.catalog.history import CanaryFound, save_canary
from index.catalog.quarantine import EntryState
from index.embedding import Embedder, ModelUnusable
from index.errors import StoreUnavailable
from index.identity import document_id
from index.plan import rules
from index.records import iso

FILE: Final = "headwater-canary.md"
_MARK: Final = "<!-- written by `headwater canary` -->"
_TEXT: Final = """{mark}
# Headwater's canary

This document belongs to Headwater, which changes it to measure how long a change takes until a
search finds it. The word of this version is {word}.
"""
_EVERY_S: Final = 5.0
"""Between two searches."""


class NoCanary(UsageError):
    """The source has none, or must not have one."""


def fly(
    settings: Settings,
    source: str,
    follow: Callable[[], Any] | None,
    *,
    timeout_s: float,
    every_s: float = _EVERY_S,
) -> CanaryFound:
    """Change a source's canary, and search until it is found.

    Args:
        settings: With the source.
        source: Its name.
        follow: Runs over the source; None if something else does.
        timeout_s: How long to search for it.
        every_s: How long to wait between two searches.

    Returns:
        What came of it, which is in the catalog too.

    Raises:
        NoCanary: The settings allow none, or a file of somebody else's is in its place.
        StoreUnavailable: The catalog cannot be written to.
    """
    file = _file(settings, source)
    word = f"kestrel-{secrets.token_hex(8)}"
    _write(file, _TEXT.format(mark=_MARK, word=word))
    written_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    error = _followed(follow)
    # Loaded once, however often is searched.
    model = cache(partial(open_embedder, settings))
    deadline = time.monotonic() + timeout_s
    while not (is_found := error is None and _is_found(settings, source, word, model)):
        if error is not None or time.monotonic() + every_s > deadline:
            break
        time.sleep(every_s)
    lag = (datetime.now(UTC) - written_at).total_seconds() if is_found else None
    with open_catalog(settings) as catalog, catalog.writing() as connection:
        if not is_found and error is None:
            late = f"no search found it in {timeout_s:.0f} s"
            error = _reason(connection, source) or late
        found = CanaryFound(source, written_at, lag, error)
        save_canary(connection, found)
    return found


def as_json(found: CanaryFound) -> dict[str, Any]:
    """For `headwater canary --json`."""
    return {
        "source": found.source,
        "written": iso(found.written_at),
        "found": found.lag_seconds is not None,
        "lag_seconds": found.lag_seconds,
        "error": found.error,
    }


def _reason(connection: Connection, source: str) -> str | None:
    """Why the canary is in quarantine, if it is."""
    entry = quarantine.find_by_document(connection, document_id(source, FILE))
    if entry is None or entry["state"] == EntryState.RESOLVED:
        return None
    return f"it is in quarantine: {entry['code']}, {entry['detail']}"


def _file(settings: Settings, source: str) -> Path:
    configured = settings.source(source)
    if configured is None:
        raise NoCanary(f"there is no source {source} in the settings")
    if not configured.canary.enabled:
        raise NoCanary(f"source {source}: set canary = {{ enabled = true }} to let it be written")
    if rule := rules(configured.include, configured.exclude)(FILE):
        raise NoCanary(f"source {source} leaves {FILE} out ({rule}): include it")
    file = _folder(configured) / FILE
    if file.is_symlink() or (file.exists() and not _is_ours(file)):
        raise NoCanary(f"{file} is none of ours: move it away, or turn the canary off")
    return file


def _folder(source: SourceSettings) -> Path:
    folder = Path(source.uri)
    if "://" in source.uri or not folder.is_dir():
        raise NoCanary(f"source {source.name} is no folder on this machine: it can have no canary")
    return folder


def _is_ours(file: Path) -> bool:
    with suppress(OSError), file.open("rb") as opened:
        return opened.read(len(_MARK)) == _MARK.encode()
    return False


def _write(file: Path, text: str) -> None:
    """In place and at once, always as long: a run reads one version of it or the other."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        with os.fdopen(handle, "wb", buffering=0) as out:
            out.truncate(out.write(text.encode()))
    except OSError as error:
        raise NoCanary(f"{file} cannot be written: {error.strerror}") from error


def _followed(follow: Callable[[], Any] | None) -> str | None:
    """Why a run over the source failed; None if it did not, or there was none."""
    if follow is None:
        return None
    try:
        follow()
    except RunFailed as failure:
        return failure.report.error or "the run failed"
    return None


def _is_found(
    settings: Settings, source: str, word: str, model: Callable[[Generation], Embedder]
) -> bool:
    """Whether the words of this version are what a search gives away."""
    with suppress(StoreUnavailable, ModelUnusable):
        question = _TEXT.format(mark="", word=word)
        return any(word in one.text for one in find_now(settings, question, 10, source, model))
    return False
