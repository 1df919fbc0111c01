"""`headwater quarantine`."""

from typing import Annotated, Any

import typer

from flows.commands.terms import (
    AsJson,
    Config,
    State,
    print_json,
    settings_with_state,
    told_in_one_line,
)

app = typer.Typer(no_args_is_help=True, help="What could not be read, why, what to do.")


@app.command("list")
def list_entries(
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
    with told_in_one_line():
        from flows import console
        from flows.wiring import open_catalog
        from index.catalog.quarantine import unresolved

        settings = settings_with_state(config, state)
        with open_catalog(settings) as catalog, catalog.reading() as connection:
            entries = [_entry(row) for row in unresolved(connection, source)]
        if as_json:
            for entry in entries:
                print_json(entry)
        else:
            console.show_entries(entries)


@app.command("show")
def show_entry(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="An entry's id, or its start.")],
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """All that is known of one entry: the parser, its traceback, what was done and when.

    [bold]Examples[/]

        headwater quarantine show 3f9a1c
    """
    with told_in_one_line():
        from flows import console
        from flows.errors import UsageError
        from flows.wiring import open_catalog
        from index.catalog.quarantine import find_entries
        from parsers.reasons import REMEDIES, Reason

        settings = settings_with_state(config, state)
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
        print_json(shown) if as_json else console.show_fields(shown)


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
