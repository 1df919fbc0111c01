"""`headwater generation`: another model or chunker, built beside what is searched."""

from enum import StrEnum
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

app = typer.Typer(
    no_args_is_help=True, help="Another model or chunker, built beside what is searched."
)

GenerationId = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the start of it.")]


class Backend(StrEnum):
    """What can run a model."""

    AUTO = "auto"
    TORCH = "torch"
    ONNX = "onnx"


@app.command("list")
def list_generations(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Every generation: its model, its chunker, how far it is, and which one is searched.

    [bold]Examples[/]

        headwater generation list
    """
    with told_in_one_line():
        from flows.console.index import show_generations
        from flows.generations import overview

        rows = overview(settings_with_state(config, state))
        if as_json:
            for row in rows:
                print_json(row)
        else:
            show_generations(rows)


@app.command()
def build(
    dry_run: Annotated[bool, typer.Option("--estimate", help="Only say what it costs.")] = False,
    backend: Annotated[
        Backend | None, typer.Option(help="What runs the model, in place of the settings.")
    ] = None,
    config: Config = None,
    state: State = None,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Build the generation that the settings describe, from stored texts.

    Nothing is parsed, searches go on, and runs come in between. It can be stopped at any time, and
    goes on where it was.

    [bold]Examples[/]

        headwater generation build --estimate
        headwater generation build
        headwater generation build --backend onnx
    """
    with told_in_one_line():
        from flows.console.index import show_estimate
        from flows.console.terminal import show_fields
        from flows.generations import build_generation, estimate_generation
        from flows.settings import with_backend

        settings = with_backend(settings_with_state(config, state), backend)
        estimate = estimate_generation(settings)
        if dry_run:
            print_json(estimate) if as_json else show_fields(estimate)
            return
        if not as_json:
            show_estimate(estimate)
        built = build_generation(settings, wait_s=wait)
        print_json(built) if as_json else show_fields(built)


@app.command()
def promote(generation: GenerationId, config: Config = None, state: State = None) -> None:
    """Search a complete generation from now on; the one before is kept up to date.

    [bold]Examples[/]

        headwater generation promote 1f0c
    """
    with told_in_one_line():
        from flows.console.terminal import say
        from flows.generations import promote_generation

        promoted = promote_generation(settings_with_state(config, state), generation)
        say(f"Generation {promoted} is searched from now on.")


@app.command()
def rollback(config: Config = None, state: State = None) -> None:
    """Search the generation again that was searched before.

    [bold]Examples[/]

        headwater generation rollback
    """
    with told_in_one_line():
        from flows.console.terminal import say
        from flows.generations import roll_back

        back = roll_back(settings_with_state(config, state))
        say(f"Generation {back} is searched again.")


@app.command()
def drop(
    generation: GenerationId, config: Config = None, state: State = None, wait: Wait = 0
) -> None:
    """Remove a generation that is not searched, with its vectors.

    [bold]Examples[/]

        headwater generation drop 1f0c
    """
    with told_in_one_line():
        from flows.console.terminal import say
        from flows.generations import drop_generation

        dropped = drop_generation(settings_with_state(config, state), generation, wait_s=wait)
        say(f"Generation {dropped} is gone.")
