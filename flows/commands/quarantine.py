"""`headwater quarantine`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.terms import (
    AsJson,
    Config,
    State,
    print_json,
    settings_with_state,
    told_in_one_line,
    user,
)

app = typer.Typer(no_args_is_help=True, help="What could not be read, why, what to do.")


@app.command("list")
def list_entries(
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    group: Annotated[str | None, typer.Option(help="Only what failed in this way.")] = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """What could not be read, why, and what to do about it.

    What failed in one way is one line; --group or --json show each document.

    [bold]Examples[/]

        headwater quarantine list
        headwater quarantine list --group 5b1c0f2a9d3e
        headwater quarantine list --source handbook --json
    """
    with told_in_one_line():
        from flows.console.quarantine import show_entries, show_groups
        from flows.wiring import open_catalog
        from index.catalog.quarantine import group_entries, unresolved

        settings = settings_with_state(config, state)
        with open_catalog(settings) as catalog, catalog.reading() as connection:
            rows = unresolved(connection, source)
            groups = [dict(row) for row in group_entries(connection, source)]
        entries = [_entry(row) for row in rows if group in (None, row["failure_group"])]
        if as_json:
            for entry in entries:
                print_json(entry)
        elif group is not None:
            show_entries(entries)
        else:
            show_groups(groups)


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
        from flows.console.terminal import show_fields
        from flows.wiring import open_catalog
        from parsers.reasons import REMEDIES, Reason

        settings = settings_with_state(config, state)
        with open_catalog(settings) as catalog, catalog.reading() as connection:
            row = _the_entry(connection, entry_id)
        shown = {
            **_entry(row),
            "remedy": REMEDIES[Reason(row["code"])],
            "parser": row["parser"],
            "sha256": row["sha256"],
            "history": row["history"],
            "traceback": row["traceback"],
        }
        print_json(shown) if as_json else show_fields(shown)


Why = Annotated[str, typer.Option("--why", help="For whoever asks later.")]


@app.command("ignore")
def ignore_entry(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="An entry's id, or its start.")],
    why: Why,
    config: Config = None,
    state: State = None,
) -> None:
    """Leave a document out for good: no alert, no attempt, until it changes or is opened again.

    [bold]Examples[/]

        headwater quarantine ignore 3f9a1c --why "a scan of a signature, nothing to read"
    """
    _move(entry_id, "ignored", why, config, state)


@app.command("open")
def open_entry(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="An entry's id, or its start.")],
    why: Why,
    config: Config = None,
    state: State = None,
) -> None:
    """Take back that a document is ignored.

    [bold]Examples[/]

        headwater quarantine open 3f9a1c --why "it is wanted after all"
    """
    _move(entry_id, "open", why, config, state)


def _move(entry_id: str, to: str, why: str, config: Path | None, state: Path | None) -> None:
    with told_in_one_line():
        from flows.console.terminal import say
        from flows.wiring import open_catalog
        from index.catalog.quarantine import EntryState, move

        settings = settings_with_state(config, state)
        with open_catalog(settings) as catalog, catalog.writing() as connection:
            row = _the_entry(connection, entry_id)
            now = datetime.now(UTC)
            move(connection, [row], EntryState(to), who=user(), why=why, now=now)
        say(f"{row['uri']}: {to}")


def _the_entry(connection: Any, entry_id: str) -> Any:
    from flows.errors import UsageError
    from index.catalog.quarantine import find_entries

    found = find_entries(connection, entry_id)
    if len(found) != 1:
        many = f"{entry_id} begins more than one id: give more of it"
        raise UsageError(many if found else f"there is no entry {entry_id}")
    return found[0]


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
