"""`headwater checks`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.terms import (
    AsJson,
    Config,
    State,
    print_json,
    settings_with_state,
    told_in_one_line,
)

app = typer.Typer(no_args_is_help=True, help="What the contract and a run's checks said.")


@app.command("show")
def show_run(
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
    with told_in_one_line():
        from flows.console.runs import show_checks
        from flows.errors import UsageError
        from flows.metadata.verdicts import verdicts_of_run, verdicts_on_documents
        from flows.wiring import open_catalog
        from index.catalog.runs import find_run, newest_run

        settings = settings_with_state(config, state)
        with open_catalog(settings) as catalog, catalog.reading() as connection:
            row = find_run(connection, run) if run else newest_run(connection)
            if row is None:
                raise UsageError(f"there is no run {run or 'yet'}")
            checks = verdicts_of_run(connection, row["id"])
            documents = verdicts_on_documents(connection, row["id"])
        if as_json:
            ran = {"run_id": row["id"], "source": row["source"], "state": row["state"]}
            print_json({**ran, **checks, "noted": documents})
        else:
            show_checks(checks, documents)


@app.command("docs")
def write_docs(
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
    with told_in_one_line():
        from datetime import UTC, datetime

        from flows.console.terminal import show_fields
        from flows.metadata.data_docs import write_data_docs
        from flows.wiring import open_stores

        settings = settings_with_state(config, state)
        with open_stores(settings) as index:
            for source, page in write_data_docs(settings, index, out, datetime.now(UTC)):
                shown = {"source": source, "page": str(page.absolute())}
                print_json(shown) if as_json else show_fields(shown)
