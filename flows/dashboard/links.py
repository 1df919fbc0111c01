"""Where else something is shown: a run in Prefect, and when the next one is due."""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError
from pydantic import TypeAdapter, ValidationError

from flows.setting_values import Duration

_EVERY: Final[TypeAdapter[timedelta]] = TypeAdapter(Duration)


def prefect_url(flow_run_id: str | None) -> str | None:
    """The page of a flow run in the user interface of the Prefect server that is configured."""
    api = os.environ.get("PREFECT_API_URL", "").rstrip("/")
    pages = os.environ.get("PREFECT_UI_URL", "").rstrip("/")
    if not pages and api.endswith("/api"):
        pages = api.removesuffix("/api")
    if not flow_run_id or not pages.startswith(("http://", "https://")):
        return None
    return f"{pages}/runs/flow-run/{flow_run_id}"


def next_run(
    schedule: str | None, now: datetime, last_started: datetime | None = None
) -> datetime | None:
    """When a source is next due; None without a schedule that can be understood.

    Args:
        schedule: A cron, in UTC, or the time between runs.
        now: The time.
        last_started: When its last run began.
    """
    if not schedule:
        return None
    with suppress(ValidationError):
        every = _EVERY.validate_python(schedule)
        return max(now, (last_started or now) + every)
    try:
        return next(CronSim(schedule, now.astimezone(UTC)))
    except (CronSimError, StopIteration):
        return None
