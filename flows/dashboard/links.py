"""Where else something is shown: a run in Prefect, and when the next one is due."""

import os
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError


def prefect_url(flow_run_id: str | None) -> str | None:
    """The page of a flow run in the user interface of the Prefect server that is configured."""
    api = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    pages = os.environ.get("PREFECT_UI_URL", "").rstrip("/")
    if not pages and api.endswith("/api"):
        pages = api.removesuffix("/api")
    if not flow_run_id or not pages.startswith(("http://", "https://")):
        return None
    return f"{pages}/runs/flow-run/{flow_run_id}"


def next_run(schedule: str | None, now: datetime) -> datetime | None:
    """When a cron schedule, in UTC, is next due; None without one that can be understood."""
    if not schedule:
        return None
    try:
        return next(CronSim(schedule, now.astimezone(UTC)))
    except (CronSimError, StopIteration):
        return None
