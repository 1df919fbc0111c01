"""Flows that keep the stores in order, for schedules."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.alerts.outbox import RUN_BUDGET_S
from flows.alerts.telling import deliver_pending, settle_freshness
from flows.errors import UserError
from flows.freshness.canary import as_json as canary_as_json
from flows.freshness.canary import fly
from flows.freshness.status import all_statuses, record_statuses
from flows.settings import load_settings
from flows.source_settings import SourceSettings
from flows.upkeep import clean_state, reconcile_index
from flows.wiring import open_catalog

_CANARY_POLL_S: Final = 10.0


@flow(name="reconcile", description="Compare the vector store with the catalog.")
def reconcile(
    config: str | None = None,
    state: str | None = None,
    *,
    repair: bool = False,
    probes: int | None = None,
    wait_s: float = 3600,
) -> list[dict[str, Any]]:
    """Compare every generation's collection with the catalog.

    Args:
        config: The settings file; `headwater.toml` in the working directory if None.
        state: The state directory, in place of the one in the settings.
        repair: Mend what differs.
        probes: How many chunks of each generation to search for by their own vector; if None,
            some, where that takes little memory.
        wait_s: How long to wait for another process that writes.

    Returns:
        What was found, one for each generation, as `headwater reconcile --json` prints it.

    Raises:
        UserError: The settings are wrong, or another process writes for longer than that.
        StoreUnavailable: A store failed.
    """
    settings = load_settings(Path(config) if config else None, Path(state) if state else None)
    found = [
        one.as_json()
        for one in reconcile_index(settings, repair=repair, n_probes=probes, wait_s=wait_s)
    ]
    rows = [
        {"generation": one["generation"], "chunks": one["chunks"], **one["faults"]} for one in found
    ]
    create_table_artifact(rows, key="reconciliation", description="Vector store against catalog")
    return found


@flow(name="clean", description="Forget what is no longer to be kept.")
def clean(
    config: str | None = None, state: str | None = None, *, wait_s: float = 3600
) -> dict[str, int]:
    """Forget what ceased to be searchable longer ago than the retention setting says.

    Args:
        config: The settings file; `headwater.toml` in the working directory if None.
        state: The state directory, in place of the one in the settings.
        wait_s: How long to wait for another process that writes.

    Returns:
        What was given back, as `headwater clean --json` prints it.

    Raises:
        UserError: The settings are wrong, or another process writes for longer than that.
        StoreUnavailable: A store failed.
    """
    settings = load_settings(Path(config) if config else None, Path(state) if state else None)
    return asdict(clean_state(settings, wait_s=wait_s))


@flow(name="freshness", description="Judge how stale sources are, and tell of it.")
def freshness(config: str | None = None, state: str | None = None) -> list[dict[str, Any]]:
    """Judge how stale sources are, keep that in the history, and deliver alerts that are pending.

    Args:
        config: The settings file; `headwater.toml` in the working directory if None.
        state: The state directory, in place of the one in the settings.

    Returns:
        One for each source, as `headwater status --json` prints it.

    Raises:
        UserError: The settings are wrong.
        StoreUnavailable: The catalog failed.
    """
    settings = load_settings(Path(config) if config else None, Path(state) if state else None)
    with open_catalog(settings) as catalog:
        record_statuses(settings, catalog)
        settle_freshness(catalog, settings, datetime.now(UTC))
        deliver_pending(catalog, settings, budget_s=RUN_BUDGET_S)
        return [one.as_json() for one in all_statuses(settings, catalog)]


@flow(name="canary", description="Measure how long a change takes until a search finds it.")
def canary(
    source: str | None = None,
    config: str | None = None,
    state: str | None = None,
    *,
    timeout_s: float | None = None,
    wait_s: float = 3600,
) -> list[dict[str, Any]]:
    """Change the canaries of sources, and search until the changes are found.

    A source with a schedule is left to it, so that what is measured is what users wait for; over
    one without, a run is made.

    Args:
        source: Whose canary; if None, of all sources that allow one, one after the other.
        config: The settings file; `headwater.toml` in the working directory if None.
        state: The state directory, in place of the one in the settings.
        timeout_s: How long to search for each; if None, as long as its source may be stale before
            that is a warning.
        wait_s: How long a run waits for another process that writes.

    Returns:
        One for each, as `headwater canary --json` prints it.

    Raises:
        UserError: The settings are wrong or allow none, or one was not found in time.
        StoreUnavailable: The catalog failed.
    """
    settings = load_settings(Path(config) if config else None, Path(state) if state else None)
    chosen = [
        one
        for one in settings.sources
        if (one.canary.enabled if source is None else one.name == source)
    ]
    if source is not None and not chosen:
        raise UserError(f"there is no source {source} in the settings")
    found = []
    for one in chosen:
        patience = one.freshness.warn_after.total_seconds() if timeout_s is None else timeout_s
        follow = _run_over(one, config, state, wait_s) if one.schedule is None else None
        found.append(fly(settings, one.name, follow, timeout_s=patience, every_s=_CANARY_POLL_S))
    if lost := [f"{one.source}: {one.error}" for one in found if one.lag_seconds is None]:
        raise UserError(f"canary of {'; '.join(lost)}")
    return [canary_as_json(one) for one in found]


def _run_over(
    source: SourceSettings, config: str | None, state: str | None, wait_s: float
) -> Callable[[], Any]:
    from flows.ingest import ingest

    return partial(ingest, source.name, config, state, wait_s=wait_s)
