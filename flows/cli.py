"""The command line: `headwater --help` is the map."""

import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="headwater",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keeps a vector index true to the documents it was built from, and shows how true it is.",
)
quarantine_app = typer.Typer(no_args_is_help=True, help="What could not be read, why, what to do.")
app.add_typer(quarantine_app, name="quarantine")
checks_app = typer.Typer(no_args_is_help=True, help="What the contract and a run's checks said.")
app.add_typer(checks_app, name="checks")

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file.  [default: headwater.toml, if there is one]"),
]
State = Annotated[
    Path | None,
    typer.Option("--state", help="State directory, in place of the one in the settings."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

_FAILED = 1
_USAGE = 2
_QUARANTINED = 3
_INTERRUPTED = 130


@app.command()
def ingest(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE or PATH]...",
            help="Configured sources, folders, files or URLs.  [default: all configured sources]",
        ),
    ] = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option(help="Exit 3 if anything is quarantined.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all bytes, also where nothing seems changed.")
    ] = False,
    allow_removal: Annotated[
        bool, typer.Option("--allow-removal", help="Remove what is gone, however much it is.")
    ] = False,
) -> None:
    """Make the index follow its sources: one run for each, now.

    Exit status: 0, or 1 if a run failed, 2 for wrong arguments or settings, 3 with --strict if
    anything is in quarantine.

    [bold]Examples[/]

        headwater ingest ~/Documents/handbook
        headwater ingest handbook wiki --config headwater.toml
        headwater ingest s3://bucket/policies --state /var/lib/headwater --json
    """
    with _told_in_one_line():
        from flows import console
        from flows.errors import UsageError
        from flows.prefect_runtime import is_configured, prefect_server
        from flows.progress import watching
        from flows.selection import require_place
        from flows.settings import load_settings
        from flows.wiring import make_state_dir

        settings = load_settings(config, state)
        chosen = sources or [source.name for source in settings.sources]
        if not chosen:
            raise UsageError("no source is configured: name a folder, or write a headwater.toml")
        for named in chosen:
            require_place(settings, named)
        make_state_dir(settings)
        if not is_configured():
            console.err.print("Starting Prefect; this takes about ten seconds…", style="dim")
        reports = []
        with prefect_server(settings.state_dir):
            for named in chosen:
                with console.progress() as progress:
                    token = watching.set(progress)
                    try:
                        report = _ingest_one(
                            named,
                            config,
                            settings.state_dir,
                            verify=verify,
                            allow_removal=allow_removal,
                        )
                    finally:
                        watching.reset(token)
                reports.append(report)
                _print_json(report) if as_json else console.show_report(report)
        _exit_by(reports, strict=strict)


@app.command()
def status(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """How fresh each source is, what is indexed, and what is in quarantine.

    Exit status: 0, or 1 if a source is staler than its objective allows (`error_after`).

    [bold]Examples[/]

        headwater status
        headwater status --json || page-somebody
    """
    with _told_in_one_line():
        from flows import console
        from flows.status import all_statuses
        from flows.wiring import open_catalog

        settings = _settings_with_state(config, state)
        with open_catalog(settings) as catalog:
            statuses = all_statuses(settings, catalog)
        if as_json:
            for one in statuses:
                _print_json(one.as_json())
        else:
            console.show_statuses(statuses)
        if any(one.state == "error" for one in statuses):
            raise typer.Exit(_FAILED)


@quarantine_app.command("list")
def quarantine_list(
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """What could not be read, why, and what to do about it.

    [bold]Examples[/]

        headwater quarantine list
        headwater quarantine list --source handbook --json
    """
    with _told_in_one_line():
        from flows import console
        from flows.wiring import open_catalog
        from index.catalog.quarantine import unresolved

        settings = _settings_with_state(config, state)
        with open_catalog(settings) as catalog, catalog.reading() as connection:
            entries = [_entry(row) for row in unresolved(connection, source)]
        if as_json:
            for entry in entries:
                _print_json(entry)
        else:
            console.show_entries(entries)


@quarantine_app.command("show")
def quarantine_show(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="An entry's id, or its start.")],
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """All that is known of one entry: the parser, its traceback, what was done and when.

    [bold]Examples[/]

        headwater quarantine show 3f9a1c
    """
    with _told_in_one_line():
        from flows import console
        from flows.errors import UsageError
        from flows.wiring import open_catalog
        from index.catalog.quarantine import find_entries
        from parsers.reasons import REMEDIES, Reason

        settings = _settings_with_state(config, state)
        with open_catalog(settings) as catalog, catalog.reading() as connection:
            found = find_entries(connection, entry_id)
        if len(found) != 1:
            many = f"{entry_id} begins more than one id: give more of it"
            raise UsageError(many if found else f"there is no entry {entry_id}")
        (row,) = found
        shown = {
            **_entry(row),
            "remedy": REMEDIES[Reason(row["code"])],
            "parser": row["parser"],
            "sha256": row["sha256"],
            "history": row["history"],
            "traceback": row["traceback"],
        }
        _print_json(shown) if as_json else console.show_fields(shown)


@checks_app.command("show")
def checks_show(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id.  [default: the last run]")
    ] = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """What a run's checks said: rules that chunks broke, where, and the numbers of the whole run.

    [bold]Examples[/]

        headwater checks show
        headwater checks show 46bce2ce257e4452bbfd83a53e2a6440 --json
    """
    with _told_in_one_line():
        from flows import console
        from flows.errors import UsageError
        from flows.verdicts import verdicts_of_run, verdicts_on_documents
        from flows.wiring import open_catalog
        from index.catalog.runs import find_run, newest_run

        settings = _settings_with_state(config, state)
        with open_catalog(settings) as catalog, catalog.reading() as connection:
            row = find_run(connection, run) if run else newest_run(connection)
            if row is None:
                raise UsageError(f"there is no run {run or 'yet'}")
            checks = verdicts_of_run(connection, row["id"])
            documents = verdicts_on_documents(connection, row["id"])
        if as_json:
            ran = {"run_id": row["id"], "source": row["source"], "state": row["state"]}
            _print_json({**ran, **checks, "noted": documents})
        else:
            console.show_checks(checks, documents)


@checks_app.command("docs")
def checks_docs(
    out: Annotated[
        Path, typer.Option("--out", help="Folder to write to; one in it for each source.")
    ] = Path("data-docs"),
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Hold all that is searchable against the contract, and write Great Expectations' Data Docs.

    The pages hold counts, and nothing of any document. They load styles and scripts from public
    servers (jsdelivr, cdnjs, unpkg and others) when they are opened: without a network they look
    plain. Writing them opens no connection; `headwater checks show` needs none at all.

    [bold]Examples[/]

        headwater checks docs --out /tmp/data-docs
    """
    with _told_in_one_line():
        from datetime import UTC, datetime

        from flows import console
        from flows.data_docs import write_data_docs
        from flows.wiring import open_index

        settings = _settings_with_state(config, state)
        with open_index(settings) as index:
            for source, page in write_data_docs(settings, index, out, datetime.now(UTC)):
                shown = {"source": source, "page": str(page.absolute())}
                _print_json(shown) if as_json else console.show_fields(shown)


@app.command()
def search(
    words: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many chunks at most.")] = 5,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Chunks ranked by how near they are in meaning, with document, page and date.

    [bold]Examples[/]

        headwater search "how do I book travel"
        headwater search "notice period" -k 3 --source contracts --json
    """
    with _told_in_one_line():
        from flows import console
        from flows.wiring import open_index
        from index.search import search as find

        settings = _settings_with_state(config, state)
        with open_index(settings) as index:
            results = find(index, words, k, source=source)
        if as_json:
            for result in results:
                _print_json(result.as_json())
        else:
            console.show_results(results)


@app.command()
def explain(
    named: Annotated[str, typer.Argument(metavar="CHUNK_ID or URI")],
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """From a chunk or a document back to the bytes: version, span, page, parser, model, run.

    [bold]Examples[/]

        headwater explain 0f2c6a0b7c3e4d5f8a9b0c1d2e3f4a5b
        headwater explain pages/leave.md --json
    """
    with _told_in_one_line():
        from flows import console
        from flows.errors import UsageError
        from flows.explain import explain_chunk, explain_uri
        from flows.wiring import open_catalog, text_store

        settings = _settings_with_state(config, state)
        with open_catalog(settings) as catalog:
            chunk = explain_chunk(catalog, text_store(settings), named)
            found = [chunk] if chunk else explain_uri(catalog, named)
        if not found:
            raise UsageError(f"no searchable chunk and no document is called {named}")
        for one in found:
            _print_json(one) if as_json else console.show_fields(one)


@app.command()
def doctor(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """What is installed, reachable and writable, and what is not.

    Exit status: 0, or 1 if something is not as it should be.

    [bold]Examples[/]

        headwater doctor
    """
    with _told_in_one_line():
        from flows import console
        from flows.doctor import examine
        from flows.settings import load_settings

        findings = []
        for finding in examine(load_settings(config, state)):
            findings.append(finding)
            if as_json:
                _print_json({"check": finding.check, "ok": finding.ok, "detail": finding.detail})
            else:
                console.show_findings([finding])
        if not all(finding.ok for finding in findings):
            raise typer.Exit(_FAILED)


def main() -> None:
    """The command `headwater`."""
    app()


def _ingest_one(
    named: str,
    config: Path | None,
    state_dir: Path,
    *,
    verify: bool,
    allow_removal: bool,
) -> dict[str, Any]:
    """Run the flow; a run that failed gives its report too."""
    from flows.errors import RunFailed
    from flows.ingest import ingest as flow

    try:
        return flow(
            named,
            str(config) if config else None,
            str(state_dir),
            verify=verify,
            allow_removal=allow_removal,
        )
    except RunFailed as failure:
        if failure.is_defect:
            traceback.print_exception(failure.__cause__)
        return failure.report.as_json()


def _exit_by(reports: list[dict[str, Any]], *, strict: bool) -> None:
    states = {report["state"] for report in reports}
    if "interrupted" in states:
        raise typer.Exit(_INTERRUPTED)
    if "failed" in states:
        raise typer.Exit(_FAILED)
    if strict and any(report["documents"]["quarantined"] for report in reports):
        raise typer.Exit(_QUARANTINED)


def _settings_with_state(config: Path | None, state: Path | None) -> Any:
    """The settings, for commands that read what a run has left."""
    from flows.errors import UserError
    from flows.settings import load_settings
    from flows.wiring import has_state

    settings = load_settings(config, state)
    if not has_state(settings):
        raise UserError(
            f"nothing has been ingested into {settings.state_dir} yet: headwater ingest FOLDER"
        )
    return settings


def _entry(row: Any) -> dict[str, Any]:
    from index.records import iso

    return {
        "id": row["id"],
        "uri": row["uri"],
        "source": row["source"],
        "code": row["code"],
        "detail": row["detail"],
        "stage": row["stage"],
        "first_seen": iso(row["first_seen_at"]),
        "last_seen": iso(row["last_seen_at"]),
        "attempts": row["n_attempts"],
        "state": row["state"],
        "group": row["failure_group"],
    }


def _print_json(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    """Say what a user can mend in one line, and exit as the design says."""
    from flows.errors import UsageError, UserError
    from flows.settings import SettingsError
    from index.embedding import ModelUnusable
    from index.errors import StoreUnavailable

    try:
        yield
    except (UsageError, SettingsError, ModelUnusable) as error:
        _stop(str(error), _USAGE)
    except StoreUnavailable as error:
        _stop(f"{error.detail}. {error.remedy}", _FAILED)
    except UserError as error:
        _stop(str(error), _FAILED)
    except BrokenPipeError:
        # Whoever read our output has enough; do not trip over it again at exit.
        sys.stdout = None
    except OSError as error:
        _stop(f"{error.filename or ''}: {error.strerror}".lstrip(": "), _FAILED)
    except KeyboardInterrupt:
        _stop("interrupted", _INTERRUPTED)


def _stop(message: str, status: int) -> None:
    sys.stderr.write(f"headwater: {message}\n")
    raise typer.Exit(status)
