"""`headwater erase`."""

import sys
from typing import Annotated

import typer

from flows.commands.terms import (
    AsJson,
    Config,
    State,
    Wait,
    print_json,
    settings_with_state,
    told_in_one_line,
)


def erase(
    uri: Annotated[str, typer.Argument(help="A document's, as search and explain give it.")],
    source: Annotated[str | None, typer.Option(help="Of which source, if several have it.")] = None,
    allow: Annotated[
        bool, typer.Option("--allow", help="Read it again from now on, if it is in its source.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    with_hash: Annotated[
        bool, typer.Option("--with-hash", help="Name the sha256 of its versions in the receipt.")
    ] = False,
    wait: Wait = 0,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Remove a document and all that came from it, for good, and prove that it is gone.

    What it holds inside goes too, and its past versions. The vector store and the catalog are
    written anew, for their files keep what was deleted; then every file in the state directory, and
    every text kept elsewhere, is read back. A receipt is kept in the state directory, under
    receipts. The document in its source is not touched: it is skipped from now on.

    Exit status: 0, or 1 if something of it was found again.

    [bold]Examples[/]

        headwater erase people/jane-doe.pdf
        headwater erase archive.zip!/letters/17.eml --source mail --yes --json
        headwater erase people/jane-doe.pdf --allow
    """
    with told_in_one_line():
        from flows import erasing
        from flows.console.terminal import err, show_fields

        settings = settings_with_state(config, state)
        if allow:
            named = erasing.allow(settings, uri, source, wait_s=wait)
            _print_allowed(named, uri, as_json=as_json)
            return
        documents = erasing.find(settings, uri, source)
        if not yes:
            _confirm(uri, len(documents))
        receipt = erasing.erase(
            settings,
            uri,
            source,
            wait_s=wait,
            with_hashes=with_hash,
            report=lambda n: err.print(f"{n:,} other chunks written anew", style="dim"),
        )
        shown = receipt.as_json()
        print_json(shown) if as_json else show_fields(shown)


def _print_allowed(source: str, uri: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"source": source, "uri": uri, "allowed": True})
    else:
        typer.echo(f"{uri} of {source} is read again by the next run")


def _confirm(uri: str, n_documents: int) -> None:
    from flows.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError("nobody is here to ask: say --yes")
    inside = f" and {n_documents - 1:,} documents inside" if n_documents > 1 else ""
    if not typer.confirm(f"Erase {uri}{inside} for good?"):
        raise typer.Exit(1)
