"""The flow that tries quarantined documents again, now.

It touches only what was chosen. An entry is resolved when its document has become searchable, and
not before; one whose document fails again is open again, with one more attempt.
"""

import os
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fsspec.utils import glob_translate
from prefect import flow
from prefect.blocks.system import Secret
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner
from sqlalchemy.engine import RowMapping

from flows.errors import UsageError
from flows.metadata.sidecars import attach
from flows.runs.conversations import gather
from flows.runs.indexing import PARALLEL_BATCHES, read_changed, retire_in_batches
from flows.runs.lease import await_batches, source_lease
from flows.runs.outages import persistently
from flows.runs.progress import watching
from flows.runs.run import Attempt, Run, current, recorded, traced_run
from flows.runs.sources import list_source
from flows.runs.withdrawal import withdraw_unreadable
from flows.settings import Settings, load_settings, with_limits
from flows.source_settings import SourceSettings
from flows.wiring import make_expectation, make_gate, open_catalog, open_index
from index.catalog import documents as document_rows
from index.catalog import quarantine
from index.catalog.database import Catalog
from index.catalog.quarantine import EntryState
from index.catalog.runs import RunKind, find_source
from index.converging import recover
from index.plan import MEMBER, Known, Listed, Outcome
from parsers.registry import names, type_read_by

given_passwords: ContextVar[tuple[str, ...]] = ContextVar("given_passwords", default=())
"""For callers in this process: what is passed as a parameter, Prefect keeps."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries to try; one that meets all that is given."""

    ids: tuple[str, ...] = ()
    """Ids, or the beginnings of them."""
    reason: str | None = None
    uri: str | None = None
    """A glob."""
    source: str | None = None
    everything: bool = False

    def __post_init__(self) -> None:
        if not (self.ids or self.reason or self.uri or self.source or self.everything):
            raise UsageError("say which: --id, --reason, --uri, --source or --all")

    def holds(self, entry: RowMapping) -> bool:
        if self.ids:
            return any(entry["id"].startswith(prefix) for prefix in self.ids)
        return (
            entry["state"] != EntryState.IGNORED
            and self.reason in (None, entry["code"])
            and self.source in (None, entry["source"])
            and (self.uri is None or bool(re.match(glob_translate(self.uri), entry["uri"])))
        )


@flow(
    name="reprocess",
    description="Try quarantined documents again, now.",
    task_runner=ThreadPoolTaskRunner(max_workers=PARALLEL_BATCHES),  # type: ignore[arg-type]
)
def reprocess(
    ids: Sequence[str] = (),
    reason: str | None = None,
    uri: str | None = None,
    source: str | None = None,
    config: str | None = None,
    state: str | None = None,
    *,
    everything: bool = False,
    password_env: str | None = None,
    password_block: str | None = None,
    parser: str | None = None,
    limits: Mapping[str, float] | None = None,
    who: str = "prefect",
    wait_s: float = 0,
) -> list[dict[str, Any]]:
    """Try quarantined documents again.

    Args:
        ids: Of entries, or the beginnings of them.
        reason: Only entries with this code.
        uri: Only documents whose uri this glob matches.
        source: Only documents of this source.
        config: The settings file; `headwater.toml` in the working directory if None.
        state: The state directory, in place of the one in the settings.
        everything: All that is open.
        password_env: The environment variable that holds passwords to try, one a line.
        password_block: The Prefect Secret block that holds them.
        parser: Read the documents with the parser of this name, or as this media type, whatever
            they seem to be.
        limits: Other values for settings of `[limits]`, for this attempt.
        who: Asked for it; kept in the entries' history.
        wait_s: How long to wait for another process that writes.

    Returns:
        A report for each source, as `headwater ingest` has it, with `entries`: what came of each.

    Raises:
        UsageError: Nothing was chosen, or there is no such entry, parser or setting.
        RunFailed: A run ended as `failed` or `interrupted`.
    """
    settings = load_settings(Path(config) if config else None, Path(state) if state else None)
    choice = Choice(tuple(ids), reason, uri, source, everything)
    passwords = _passwords(password_env, password_block)
    with open_catalog(settings) as catalog:
        chosen = _entries(catalog, choice)
        if not chosen:
            raise UsageError("no entry in quarantine is like that: headwater quarantine list")
        return [
            _reprocess_source(
                settings,
                limits or {},
                catalog,
                _source(settings, catalog, name),
                entries,
                Attempt(passwords, _reading_as(parser, {entry["uri"] for entry in entries})),
                who,
                wait_s,
            )
            for name, entries in chosen.items()
        ]


def _entries(catalog: Catalog, choice: Choice) -> dict[str, list[RowMapping]]:
    """By source, the entries that are chosen."""
    with catalog.reading() as connection:
        found = [entry for entry in quarantine.unresolved(connection) if choice.holds(entry)]
    by_source: dict[str, list[RowMapping]] = {}
    for entry in found:
        by_source.setdefault(entry["source"], []).append(entry)
    return by_source


def _reprocess_source(
    settings: Settings,
    limits: Mapping[str, float],
    catalog: Catalog,
    source: SourceSettings,
    entries: Sequence[RowMapping],
    attempt: Attempt,
    who: str,
    wait_s: float,
) -> dict[str, Any]:
    # What is expected of results is what the settings say: what holds for one attempt must not
    # make the next run read the documents again.
    expected = make_expectation(settings, source)
    with (
        source_lease(settings, catalog, source.name, wait_s=wait_s),
        open_index(settings, catalog) as index,
    ):
        run = Run(
            uuid.uuid4().hex,
            with_limits(settings, limits),
            source,
            index,
            expected,
            watching.get(),
            RunKind.REPROCESS,
            attempt,
        )
        run.gate = make_gate(source)
        token = current.set(run)
        try:
            with traced_run(run):
                with recorded(run, flow_run.id):
                    gone = _try_again(run, entries, who)
                report = run.report(persistently(run.figures))
                persistently(lambda: run.end(report))
        finally:
            current.reset(token)
        return {**report.as_json(), "entries": _results(catalog, entries, gone)}


def _try_again(run: Run, entries: Sequence[RowMapping], who: str) -> set[str]:
    """Read the documents of entries; the uris of those that are gone from the source."""
    await_batches(run.settings, run.index.catalog, run.source.name)
    persistently(lambda: recover(run.index, run.source.name))
    uris = {entry["uri"] for entry in entries}
    with run.clock.stage("scan"):
        listed = _listed(run, {uri.split(MEMBER)[0] for uri in uris})
    with run.index.catalog.reading() as connection:
        known = document_rows.known_documents(connection, run.source.name)
    now = datetime.now(UTC)
    with run.index.catalog.writing() as connection:
        quarantine.move(connection, entries, EntryState.RETRYING, who=who, why="reprocess", now=now)
    run.n_found = len(listed)
    run.progress.planned(len(listed))
    read_changed(run, listed, _as_never_read(known, uris))
    retire_in_batches(run.removed_members, Outcome.REMOVED)
    retire_in_batches(run.retired_members, Outcome.SKIPPED)
    withdraw_unreadable(run)
    persistently(lambda: recover(run.index, run.source.name))
    there = {one.uri for one in listed}
    with run.index.catalog.writing() as connection:
        quarantine.stop_retrying(connection, run.source.name, now)
    return {uri for uri in uris if uri.split(MEMBER)[0] not in there}


def _listed(run: Run, roots: set[str]) -> list[Listed]:
    files = list_source(run.source.uri, run.settings.state_dir, run.gate)
    listing = attach(gather(files, run.rule_against, include_private=run.source.include_private))
    return [one for one in listing if one.uri in roots and not one.skip_rule]


def _as_never_read(known: Mapping[str, Known], uris: set[str]) -> dict[str, Known]:
    return {uri: replace(one, parser_key="") if uri in uris else one for uri, one in known.items()}


def _results(
    catalog: Catalog, entries: Sequence[RowMapping], gone: set[str]
) -> list[dict[str, Any]]:
    with catalog.reading() as connection:
        after = {
            entry["id"]: quarantine.find_by_document(connection, entry["document_id"])
            for entry in entries
        }
    return [_result(entry, after[entry["id"]], gone=entry["uri"] in gone) for entry in entries]


def _result(before: RowMapping, after: RowMapping | None, *, gone: bool) -> dict[str, Any]:
    resolved = after is None or after["state"] == EntryState.RESOLVED
    return {
        "id": before["id"],
        "uri": before["uri"],
        "before": before["code"],
        "state": EntryState.RESOLVED if after is None else after["state"],
        "code": None if after is None or resolved else after["code"],
        "detail": _detail(after, gone=gone),
        "attempts": after["n_attempts"] if after else before["n_attempts"],
    }


def _detail(after: RowMapping | None, *, gone: bool) -> str | None:
    if gone:
        return "gone from its source: the next run over it settles that"
    if after is None or after["state"] == EntryState.RESOLVED:
        return None
    detail: str = after["detail"]
    return detail


def _source(settings: Settings, catalog: Catalog, name: str) -> SourceSettings:
    """The configured source, or one like that which was ingested as a path."""
    if configured := settings.source(name):
        return configured
    with catalog.reading() as connection:
        row = find_source(connection, name)
    if row is None:
        raise UsageError(f"there is no source {name}")
    return SourceSettings(name=name, uri=row["root"])


def _reading_as(parser: str | None, uris: set[str]) -> Callable[[str], str]:
    if parser is None:
        return lambda uri: ""
    media_type = type_read_by(parser)
    if media_type is None:
        raise UsageError(f"there is no parser {parser}: {', '.join(names())}")
    return lambda uri: media_type if uri in uris else ""


def _passwords(env: str | None, block: str | None) -> tuple[str, ...]:
    given = list(given_passwords.get())
    if env is not None:
        if env not in os.environ:
            raise UsageError(f"there is no environment variable {env}")
        given += os.environ[env].splitlines()
    if block is not None:
        given += str(Secret.load(block).get()).splitlines()  # type: ignore[union-attr]
    return tuple(given)
