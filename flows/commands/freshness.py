"""Commands about how fresh the index is, for machines: metrics, canary."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.terms import (
    FAILED,
    AsJson,
    Config,
    State,
    Wait,
    print_json,
    settings_with_state,
    told_in_one_line,
)


def metrics(
    out: Annotated[
        Path | None, typer.Option("--out", help="Write to this file, for a textfile collector.")
    ] = None,
    config: Config = None,
    state: State = None,
) -> None:
    """Freshness, counts and times for Prometheus, in its exposition text.

    [bold]Examples[/]

        headwater metrics
        headwater metrics --out /var/lib/node_exporter/headwater.prom
    """
    with told_in_one_line():
        from flows.freshness.metrics import render_metrics, write_metrics
        from flows.wiring import open_catalog

        settings = settings_with_state(config, state)
        with open_catalog(settings) as catalog:
            text = render_metrics(settings, catalog)
        if out is None:
            typer.echo(text, nl=False)
        else:
            write_metrics(text, out)


def canary(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]...", help="[default: all with a canary]"),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--run/--no-run", help="Run over the source, or leave that to others.")
    ] = True,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to search for it.")
    ] = 60,
    config: Config = None,
    state: State = None,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Change a document of our own, and measure how long it takes until a search finds it.

    It is written only where a source has `canary = { enabled = true }`, and called
    headwater-canary.md. Exit status: 0, or 1 if one was not found.

    [bold]Examples[/]

        headwater canary handbook
        headwater canary --no-run --timeout 1200
    """
    with told_in_one_line():
        from flows.console.terminal import show_fields
        from flows.errors import UsageError
        from flows.freshness.canary import as_json as shown
        from flows.freshness.canary import fly
        from flows.settings import load_settings

        settings = load_settings(config, state)
        chosen = sources or [one.name for one in settings.sources if one.canary.enabled]
        if not chosen:
            raise UsageError("no source has a canary: set canary = { enabled = true } in one")
        found = []
        for name in chosen:
            ingest = _runner(settings, name, config, wait) if follow else None
            found.append(fly(settings, name, ingest, timeout_s=timeout))
            print_json(shown(found[-1])) if as_json else show_fields(shown(found[-1]))
        if any(one.lag_seconds is None for one in found):
            raise typer.Exit(FAILED)


def _runner(settings: Any, source: str, config: Path | None, wait_s: float) -> Any:
    from flows.orchestration.runtime import prefect_server
    from flows.wiring import make_state_dir

    def run() -> None:
        with prefect_server(settings.state_dir):
            from flows.ingest import ingest

            state = str(settings.state_dir)
            ingest(source, str(config) if config else None, state, wait_s=wait_s)

    make_state_dir(settings)
    return run
