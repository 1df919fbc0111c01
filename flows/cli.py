"""The command line: `headwater --help` is the map."""

from importlib.metadata import version
from typing import Annotated

import typer

from flows.commands import (
    alerts,
    checks,
    dashboard,
    erase,
    freshness,
    generation,
    ingest,
    look,
    quarantine,
    reprocess,
    serving,
    upkeep,
)

app = typer.Typer(
    name="headwater",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keeps a vector index true to the documents it was built from, and shows how true it is.",
)


def _show_version(asked: bool) -> None:  # noqa: FBT001
    if asked:
        typer.echo(f"headwater {version('headwater')}")
        raise typer.Exit


@app.callback()
def entry(
    _: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Say which release this is."
        ),
    ] = False,
) -> None: ...


app.command()(ingest.ingest)
app.command()(look.status)
app.command()(freshness.metrics)
app.command()(freshness.canary)
app.add_typer(quarantine.app, name="quarantine")
app.command()(reprocess.reprocess)
app.add_typer(alerts.app, name="alerts")
app.add_typer(checks.app, name="checks")
app.command()(look.search)
app.command()(look.explain)
app.command()(upkeep.reconcile)
app.command()(upkeep.clean)
app.add_typer(generation.app, name="generation")
app.command()(dashboard.dashboard)
app.command()(erase.erase)
app.command()(serving.up)
app.command()(serving.deploy)
app.command()(look.doctor)


def main() -> None:
    """The command `headwater`."""
    app()
