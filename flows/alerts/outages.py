"""Telling people of what keeps a run from even starting; where need be, without the catalog."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from checks.alerts import Condition, decide, letters
from flows.alerts.events import of_alert, publish
from flows.alerts.outbox import RUN_BUDGET_S, send_now
from flows.alerts.telling import OUTAGE_FILE, deliver_pending, of_error, tell
from flows.errors import LeaseHeld, RunFailed
from flows.settings import Settings
from flows.wiring import open_catalog
from index.errors import StoreBusy, StoreUnavailable


@contextmanager
def outages_told(settings: Settings, source: str) -> Iterator[None]:
    """Tell people of what ends the block before there is a run to tell of it.

    Args:
        settings: With whom to tell.
        source: That is to be followed, as it was named; people are told of configured ones.
    """
    try:
        yield
    except (RunFailed, LeaseHeld, StoreBusy):
        raise
    except Exception as error:
        if settings.source(source) is not None or isinstance(error, StoreUnavailable):
            _tell(settings, of_error(source, error))
        raise


def _tell(settings: Settings, condition: Condition) -> None:
    now = datetime.now(UTC)
    try:
        with open_catalog(settings) as catalog:
            with catalog.writing() as connection:
                steps = tell(connection, settings, [condition], (), now)
            publish(of_alert(step) for step in steps)
            deliver_pending(catalog, settings, budget_s=RUN_BUDGET_S)
    except StoreUnavailable:
        _tell_without_catalog(settings, condition, now)


def _tell_without_catalog(settings: Settings, condition: Condition, now: datetime) -> None:
    """One attempt to reach everybody; a file remembers that somebody was."""
    file = settings.state_dir / OUTAGE_FILE
    with suppress(OSError):
        told_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        if now - told_at < settings.alerts.repeat_after:
            return
    steps = decide([condition], {}, (), now, repeat_after=settings.alerts.repeat_after)
    publish(of_alert(step) for step in steps)
    footer = f"The catalog in {settings.state_dir} cannot be used, so this may come again."
    mail = letters(steps, settings.alerts.routes, footer)
    attempts = send_now(settings.alerts.everyone, mail)
    if any(attempt.problem == "" for attempt in attempts):
        with suppress(OSError):
            file.touch()
            os.utime(file)
