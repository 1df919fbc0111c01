"""Whether this machine has what Headwater needs: what `headwater doctor` checks."""

import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from flows.errors import UserError
from flows.freshness.status import all_statuses
from flows.models import preferred_backend, why_not_faster
from flows.orchestration import runtime as prefect_runtime
from flows.runs.fetched import SourceUnreadable
from flows.runs.sources import list_source
from flows.settings import Settings
from flows.up.addresses import running
from flows.wiring import has_state, make_state_dir, open_catalog, text_store
from index.backends.backend import parts_of
from index.catalog.alerts import undelivered
from index.catalog.chunks import count_chunks
from index.catalog.database import database_of
from index.catalog.generations import live_generation
from index.catalog.runs import RunState
from index.embedding import ModelUnusable, find_model
from index.errors import StoreUnavailable
from parsers.contract import Limits, ParseOptions
from parsers.document import ParsedDocument
from parsers.sandbox import Sandbox
from parsers.worker_process import SandboxBroken

_PACKAGES: Final = (
    "prefect",
    "chromadb",
    "sentence-transformers",
    "torch",
    "onnxruntime",
    "great-expectations",
    "pypdf",
    "sqlalchemy",
)
_MIN_FREE_MIB: Final = 500
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    check: str
    ok: bool
    detail: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Check one thing after the other; none of it changes anything but an empty state directory."""
    yield Finding("python", True, sys.version.split()[0])
    for package in _PACKAGES:
        yield _attempt(package, partial(version, package))
    yield _attempt("model", lambda: _model(settings))
    yield _attempt("sandbox", _sandbox)
    yield _attempt("state directory", lambda: _state_dir(settings))
    yield _attempt("catalog", lambda: _catalog(settings))
    if settings.texts_url:
        yield _attempt("texts", lambda: _texts(settings))
    yield _attempt("prefect api", lambda: _prefect(settings))
    yield _attempt("runs", lambda: _runs(settings))
    yield _attempt("alerts", lambda: _alerts(settings))
    for source in settings.sources:
        yield _attempt(f"source {source.name}", partial(_source, source.uri, settings))


def _attempt(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, True, look())
    except PackageNotFoundError:
        return Finding(check, False, "not installed")
    except (UserError, ModelUnusable, SandboxBroken, StoreUnavailable, SourceUnreadable) as error:
        return Finding(check, False, str(error))


def _model(settings: Settings) -> str:
    found = find_model(settings.index.model)
    slow = why_not_faster(settings)
    said = f"{found.name}, revision {found.revision}, reads {found.window} tokens"
    return f"{said}; not run in eight bits: {slow}" if slow else f"{said}; {_backend(settings)}"


def _backend(settings: Settings) -> str:
    if not has_state(settings):
        return f"a new index is made with {preferred_backend(settings)}"
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        live = live_generation(connection)
    if live is None:
        return f"a new index is made with {preferred_backend(settings)}"
    return f"the index is made with {parts_of(live.revision)[1]}"


def _sandbox() -> str:
    with Sandbox(Limits(timeout_s=10), ParseOptions(), n_workers=1) as sandbox:
        result = sandbox.parse("probe.txt", b"A worker can read this line.")
    if not isinstance(result, ParsedDocument):
        raise SandboxBroken(f"a worker does not parse: {result.detail}")
    return "a worker starts and parses"


def _state_dir(settings: Settings) -> str:
    make_state_dir(settings)
    free_mib = shutil.disk_usage(settings.state_dir).free // (1024 * 1024)
    if free_mib < _MIN_FREE_MIB:
        raise UserError(f"{settings.state_dir} has {free_mib} MiB left")
    return f"{settings.state_dir}, {free_mib:,} MiB free"


def _catalog(settings: Settings) -> str:
    if not has_state(settings):
        return "none yet"
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        return f"{count_chunks(connection):,} chunks ({database_of(connection)})"


def _texts(settings: Settings) -> str:
    texts, mark = text_store(settings), f"doctor-{uuid.uuid4().hex}"
    texts.mark(mark)
    if not texts.is_marked(mark):
        raise UserError(f"what is written to {settings.texts_url} is not there")
    texts.unmark(mark)
    if texts.is_marked(mark):
        raise UserError(f"what is deleted from {settings.texts_url} is still there")
    return f"{settings.texts_url} can be written to, read and deleted from"


def _prefect(settings: Settings) -> str:
    if prefect_runtime.is_configured():
        return "the one that is configured"
    up = running(settings.state_dir)
    if up is not None:
        # One that is busy may take its time.
        if not any(prefect_runtime.answers(up.prefect_api) for _ in range(_ATTEMPTS)):
            logs = settings.state_dir / "up"
            raise UserError(f"that of headwater up, {up.prefect}, does not answer; see {logs}")
        return f"that of headwater up, {up.prefect}"
    return "none configured: each command starts its own"


def _runs(settings: Settings) -> str:
    if not has_state(settings):
        return "none yet"
    with open_catalog(settings) as catalog:
        statuses = all_statuses(settings, catalog)
    killed = [one.source for one in statuses if one.last_run_state == RunState.INTERRUPTED]
    if killed:
        names = ", ".join(killed)
        raise UserError(f"the last run over {names} was interrupted: headwater ingest goes on")
    return "none was interrupted"


def _alerts(settings: Settings) -> str:
    n_targets = len(settings.alerts.everyone)
    told = f"{n_targets} target{'' if n_targets == 1 else 's'}"
    if not has_state(settings):
        return told
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        n_late = sum(map(len, undelivered(connection).values()))
    if n_late:
        messages = "1 message" if n_late == 1 else f"{n_late:,} messages"
        raise UserError(f"{messages} did not arrive: headwater alerts list")
    return told


def _source(uri: str, settings: Settings) -> str:
    return f"{len(list_source(uri, settings.state_dir)):,} documents at {uri}"
