"""`headwater dashboard`."""

from typing import Annotated

import typer

from flows.commands.terms import Config, State, told_in_one_line, user


def dashboard(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0: any that is free.  [default: 4280]")
    ] = None,
    config: Config = None,
    state: State = None,
) -> None:
    """Pages that show how fresh the index is, what it holds, and what could not be read.

    It listens on this machine only, unless the settings say otherwise.

    [bold]Examples[/]

        headwater dashboard
        headwater dashboard --port 8080 --state .headwater
    """
    with told_in_one_line():
        from flows.console.terminal import say
        from flows.dashboard.serving import serve
        from flows.settings import load_settings

        settings = load_settings(config, state)
        placed = settings.dashboard.at(host, port)
        serve(
            settings.model_copy(update={"dashboard": placed}),
            config,
            user(),
            lambda address: say(f"The dashboard is at {address} (Ctrl-C ends it)"),
        )
