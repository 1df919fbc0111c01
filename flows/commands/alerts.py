"""`headwater alerts`: who is told of what, and whether it arrives."""

from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from flows.commands.terms import (
    FAILED,
    AsJson,
    Config,
    State,
    print_json,
    settings_with_state,
    told_in_one_line,
)

if TYPE_CHECKING:
    from flows.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="What people are told, who is told, and whether it arrives."
)


@app.command("list")
def list_alerts(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """What is on, since when, when it was last told, and what did not arrive.

    [bold]Examples[/]

        headwater alerts list
        headwater alerts list --json
    """
    with told_in_one_line():
        from flows.alerts.status import alert_statuses
        from flows.console.sources import show_alerts
        from flows.wiring import open_catalog

        settings = settings_with_state(config, state)
        with open_catalog(settings) as catalog:
            statuses = alert_statuses(catalog)
        if as_json:
            for one in statuses:
                print_json(one.as_json())
        else:
            show_alerts(statuses)


@app.command("test")
def try_all(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Send a test message to every target, and say of each whether it arrived.

    Exit status: 0, or 1 if one did not arrive.

    [bold]Examples[/]

        headwater alerts test
    """
    with told_in_one_line():
        from flows.alerts.status import try_targets
        from flows.console.terminal import show_fields
        from flows.errors import UsageError
        from flows.settings import load_settings
        from flows.wiring import make_state_dir

        settings = load_settings(config, state)
        if not settings.alerts.everyone:
            raise UsageError("no target is configured: set alerts.urls or [[alerts.targets]]")
        make_state_dir(settings)
        with _prefect_for_blocks(settings):
            problems = try_targets(settings)
        if as_json:
            for name, problem in problems.items():
                print_json({"target": name, "arrived": not problem, "error": problem or None})
        else:
            show_fields({name: problem or "arrived" for name, problem in problems.items()})
        if any(problems.values()):
            raise typer.Exit(FAILED)


@app.command("send")
def send_pending(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Judge the freshness of all sources now, and deliver everything that is pending.

    Call it from a timer that does not depend on the runs: it tells of a source that nothing has
    been heard of for too long.

    Exit status: 0, or 1 if something could not be delivered.

    [bold]Examples[/]

        headwater alerts send
    """
    with told_in_one_line():
        from flows.alerts.outbox import RUN_BUDGET_S, deliver
        from flows.alerts.telling import settle_freshness
        from flows.console.terminal import show_fields
        from flows.wiring import open_catalog
        from index.catalog.alerts import DeliveryState, count_by_state

        settings = settings_with_state(config, state)
        with _prefect_for_blocks(settings), open_catalog(settings) as catalog:
            settle_freshness(catalog, settings, datetime.now(UTC))
            with catalog.reading() as connection:
                before = count_by_state(connection)
            deliver(catalog, settings.alerts.everyone, budget_s=RUN_BUDGET_S, at_once=True)
            with catalog.reading() as connection:
                after = count_by_state(connection)
        told = {state.value: after[state] for state in after}
        told["delivered"] -= before[DeliveryState.DELIVERED]
        print_json(told) if as_json else show_fields(told)
        if told["pending"]:
            raise typer.Exit(FAILED)


def _prefect_for_blocks(settings: "Settings") -> AbstractContextManager[None]:
    """A Prefect API, if a target's URL is in one of its blocks."""
    from flows.orchestration.runtime import prefect_server

    if any(target.block for target in settings.alerts.everyone):
        return prefect_server(settings.state_dir)
    return nullcontext()
