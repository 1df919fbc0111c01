"""Keeping the stores in order between runs: comparing, mending, forgetting."""

from contextlib import suppress
from datetime import UTC, datetime

from flows.alerts.outbox import RUN_BUDGET_S
from flows.alerts.telling import deliver_pending, settle_drift
from flows.runs.lease import index_lease
from flows.settings import Settings
from flows.wiring import open_catalog, open_index, text_store
from index.catalog.reconciliations import save_reconciliation
from index.converging import recover
from index.errors import TextLost
from index.reconciling import Reconciliation, reconcile, stray_collections
from index.retention import Cleaned, clean


def clean_state(settings: Settings, *, wait_s: float = 0) -> Cleaned:
    """Forget what ceased to be searchable longer ago than the retention setting says.

    Raises:
        LeaseHeld: Another process writes, longer than `wait_s`.
        StoreUnavailable: A store failed.
    """
    now = datetime.now(UTC)
    with open_catalog(settings) as catalog, index_lease(settings, catalog, wait_s=wait_s):
        return clean(catalog, text_store(settings), now - settings.retention.history, now)


def reconcile_index(
    settings: Settings, *, repair: bool = False, n_probes: int | None = None, wait_s: float = 0
) -> list[Reconciliation]:
    """Compare every generation's collection with the catalog, and record what was found.

    Args:
        settings: That say where the stores are.
        repair: Mend what differs, and finish what a killed run has left.
        n_probes: How many chunks of each generation to search for by their own vector; if None,
            some, where that takes little memory.
        wait_s: How long to wait for another process that writes.

    Raises:
        LeaseHeld: Another process writes, longer than that.
        StoreUnavailable: A store failed.
    """
    with (
        open_catalog(settings) as catalog,
        index_lease(settings, catalog, wait_s=wait_s),
        open_index(settings, catalog) as index,
    ):
        if repair:
            with suppress(TextLost):  # Mended below.
                recover(index)
        found = []
        for target in index.targets:
            now = datetime.now(UTC)
            report = reconcile(index, target, now, repair=repair, n_probes=n_probes)
            with catalog.writing() as connection:
                save_reconciliation(connection, report.as_json(), now, repaired=repair)
            found.append(report)
        if repair:
            recover(index)
        for collection in stray_collections(index) if repair else ():
            index.vectors.drop(collection)
        settle_drift(catalog, settings, found, datetime.now(UTC))
        deliver_pending(catalog, settings, budget_s=RUN_BUDGET_S)
        return found
