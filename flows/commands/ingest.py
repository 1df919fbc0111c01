"""`headwater ingest`."""

import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.terms import (
    FAILED,
    INTERRUPTED,
    QUARANTINED,
    AsJson,
    Config,
    State,
    Wait,
    print_json,
    told_in_one_line,
)


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
    wait: Wait = 0,
) -> None:
    """Make the index follow its sources: one run for each, now.

    Exit status: 0, or 1 if a run failed, 2 for wrong arguments or settings, 3 with --strict if
    anything is in quarantine.

    [bold]Examples[/]

        headwater ingest ~/Documents/handbook
        headwater ingest handbook wiki --config headwater.toml
        headwater ingest s3://bucket/policies --state /var/lib/headwater --json
    """
    with told_in_one_line():
        from flows import console
        from flows.errors import UsageError
        from flows.orchestration.runtime import is_there, prefect_server
        from flows.runs.progress import watching
        from flows.runs.selection import require_place
        from flows.settings import load_settings
        from flows.wiring import has_state, make_state_dir

        settings = load_settings(config, state)
        chosen = sources or [source.name for source in settings.sources]
        if not chosen:
            raise UsageError("no source is configured: name a folder, or write a headwater.toml")
        for named in chosen:
            require_place(settings, named)
        make_state_dir(settings)
        if not is_there(settings.state_dir):
            console.err.print("Starting Prefect; this takes about ten seconds…", style="dim")
        if not has_state(settings):
            console.err.print(
                "The first run also prepares the model for this machine.", style="dim"
            )
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
                            wait_s=wait,
                        )
                    finally:
                        watching.reset(token)
                reports.append(report)
                print_json(report) if as_json else console.show_report(report)
        _exit_by(reports, strict=strict)


def _ingest_one(
    named: str,
    config: Path | None,
    state_dir: Path,
    *,
    verify: bool,
    allow_removal: bool,
    wait_s: float,
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
            wait_s=wait_s,
        )
    except RunFailed as failure:
        if failure.is_defect:
            traceback.print_exception(failure.__cause__)
        return failure.report.as_json()


def _exit_by(reports: list[dict[str, Any]], *, strict: bool) -> None:
    states = {report["state"] for report in reports}
    if "interrupted" in states:
        raise typer.Exit(INTERRUPTED)
    if "failed" in states:
        raise typer.Exit(FAILED)
    if strict and any(report["documents"]["quarantined"] for report in reports):
        raise typer.Exit(QUARANTINED)
