"""Commands that have things run by themselves: up, deploy."""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.commands.terms import AsJson, Config, State, print_json, told_in_one_line

if TYPE_CHECKING:
    from flows.orchestration.deploying import Deployed
    from flows.settings import Settings


def up(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Prefect, the vectors, the schedules and the dashboard, until Ctrl-C.

    Other commands on the same state directory use these servers while they are there.

    Exit status: 0 when it was told to stop, 1 if it does not come up.

    [bold]Examples[/]

        headwater up
        headwater up --config headwater.toml --state /var/lib/headwater
    """
    with told_in_one_line():
        from dataclasses import asdict

        from flows.console.sources import show_addresses
        from flows.console.terminal import err
        from flows.settings import load_settings
        from flows.up.addresses import Addresses
        from flows.up.command import put_up

        settings = load_settings(config, state)

        def ready(addresses: Addresses, seconds: float, pids: dict[str, int]) -> None:
            if as_json:
                print_json(asdict(addresses) | {"seconds": round(seconds, 1), "processes": pids})
            else:
                show_addresses(addresses, seconds, settings)

        def say(line: str) -> None:
            err.print(line, markup=False)

        err.print("Starting; this takes about twenty seconds…", style="dim")
        put_up(settings, _absolute(config), _given(state), say=say, ready=ready)


def deploy(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Have Prefect know what the settings ask for: a deployment for each source, and upkeep.

    What is as it should be is not touched, and what was paused stays paused. `headwater up` does
    this by itself; the command is for a Prefect API of your own, and for changes while it is up.

    [bold]Examples[/]

        headwater deploy
        PREFECT_API_URL=http://prefect:4200/api headwater deploy --config headwater.toml
    """
    with told_in_one_line():
        from dataclasses import asdict

        from flows.console.terminal import out
        from flows.orchestration.runtime import prefect_server
        from flows.settings import load_settings
        from flows.wiring import make_state_dir

        settings = load_settings(config, state)
        make_state_dir(settings)
        with prefect_server(settings.state_dir):
            done = _deploy(settings, _absolute(config), _given(state))
        for one in done:
            told = {name: value for name, value in asdict(one).items() if value is not None}
            print_json(told) if as_json else out.print("  ".join(told.values()))


def _deploy(settings: "Settings", config: Path | None, state: Path | None) -> "list[Deployed]":
    import asyncio

    from prefect.client.orchestration import get_client

    from flows.orchestration.automations import settle_automations
    from flows.orchestration.deploying import deploy as make_deployments
    from flows.orchestration.runtime import is_own

    async def make() -> "list[Deployed]":
        async with get_client() as client:
            done = await make_deployments(
                client, settings, config, state, exclusive=is_own(settings.state_dir)
            )
            return done + await settle_automations(client, settings)

    return asyncio.run(make())


def _absolute(config: Path | None) -> Path | None:
    """The settings file, as a process elsewhere finds it."""
    from flows.settings import DEFAULT_FILE

    file = config or DEFAULT_FILE
    return file.absolute() if file.is_file() else None


def _given(state: Path | None) -> Path | None:
    return state.expanduser().absolute() if state else None
