"""Flows that keep the stores in order, for schedules."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.settings import load_settings
from flows.upkeep import clean_state, reconcile_index


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
