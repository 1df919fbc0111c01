"""`headwater reprocess`."""

from collections.abc import Iterable
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
    user,
)


def reprocess(
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="An entry's id, or its start; repeatable.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only entries with this code.")] = None,
    uri: Annotated[str | None, typer.Option(help="Only documents that this glob matches.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is open.")] = False,
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password to try; it is kept nowhere.")
    ] = False,
    password_env: Annotated[
        str | None, typer.Option(help="Environment variable with passwords, one a line.")
    ] = None,
    parser: Annotated[
        str | None, typer.Option(help="Read with this parser, or as this media type.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Another limit: parse_timeout_s=300; repeatable."),
    ] = None,
    config: Config = None,
    state: State = None,
    wait: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Try quarantined documents again, now.

    Only what is chosen is touched. Exit status: 0, or 1 if something could not be read again.

    [bold]Examples[/]

        headwater reprocess --reason parse_timeout --limit parse_timeout_s=300
        headwater reprocess --id 3f9a1c --password
        headwater reprocess --uri "reports/**" --source handbook
    """
    with told_in_one_line():
        from flows.console.runs import show_reprocessed
        from flows.orchestration.runtime import prefect_server
        from flows.reprocess import given_passwords
        from flows.reprocess import reprocess as flow

        settings = settings_with_state(config, state)
        asked = (typer.prompt("Password", hide_input=True, err=True),) if password else ()
        token = given_passwords.set(asked)
        try:
            with prefect_server(settings.state_dir):
                reports = flow(
                    ids or (),
                    reason,
                    uri,
                    source,
                    str(config) if config else None,
                    str(settings.state_dir),
                    everything=everything,
                    password_env=password_env,
                    parser=parser,
                    limits=_limits(limit or ()),
                    who=user(),
                    wait_s=wait,
                )
        finally:
            given_passwords.reset(token)
        for report in reports:
            print_json(report) if as_json else show_reprocessed(report)
        if any(entry["state"] != "resolved" for one in reports for entry in one["entries"]):
            raise typer.Exit(FAILED)


def _limits(given: Iterable[str]) -> dict[str, float]:
    from flows.errors import UsageError

    limits = {}
    for written in given:
        name, _, value = written.partition("=")
        try:
            limits[name] = float(value)
        except ValueError:
            raise UsageError(f"--limit {written}: NAME=VALUE, parse_timeout_s=300 say") from None
    return limits
