"""Commands that keep the stores in order: reconcile, clean."""

from typing import Annotated

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


def reconcile(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs.")] = False,
    probes: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How many chunks to search for by their own vector.",
            show_default="100 where it takes at most 80 MiB of memory",
        ),
    ] = None,
    config: Config = None,
    state: State = None,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Compare the vector store with the catalog: missing, orphaned, stale, mislabelled chunks.

    Mending takes stored texts and cached embeddings; nothing is parsed. To search for chunks takes
    2 KiB of memory for each that is in the index.

    Exit status: 0, or 1 if they differ and were not mended.

    [bold]Examples[/]

        headwater reconcile
        headwater reconcile --repair --wait 600
    """
    with told_in_one_line():
        from flows.console.index import show_reconciliation
        from flows.upkeep import reconcile_index

        settings = settings_with_state(config, state)
        found = reconcile_index(settings, repair=repair, n_probes=probes, wait_s=wait)
        for one in found:
            print_json(one.as_json()) if as_json else show_reconciliation(one)
        if not repair and not all(one.agrees for one in found):
            raise typer.Exit(FAILED)


def clean(
    config: Config = None, state: State = None, wait: Wait = 0, as_json: AsJson = False
) -> None:
    """Forget what ceased to be searchable longer ago than the retention setting says.

    Until then `search --as-of` and `explain --as-of` know of it.

    [bold]Examples[/]

        headwater clean
    """
    with told_in_one_line():
        from dataclasses import asdict

        from flows.console.terminal import show_fields
        from flows.upkeep import clean_state

        cleaned = asdict(clean_state(settings_with_state(config, state), wait_s=wait))
        print_json(cleaned) if as_json else show_fields(cleaned)
