"""Settings of `headwater up` and of what runs by itself."""

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr

from flows.setting_values import UNITS, Duration, Strict

_CRON: Final = re.compile(r"[\d*][\d*,/-]*|[A-Za-z]{3}([,-][A-Za-z]{3})*")
_EVERY: Final = re.compile(r"(\d+)\s*([smhdw])")
_SHORTEST: Final = timedelta(seconds=10)


def interval(schedule: str) -> timedelta | None:
    """The time between runs; None if the schedule is a cron."""
    match = _EVERY.fullmatch(schedule.strip())
    return timedelta(seconds=int(match[1]) * UNITS[match[2]]) if match else None


def _schedule(value: str) -> str:
    every, fields = interval(value), value.split()
    if every is not None and every < _SHORTEST:
        raise ValueError(f"an interval of {_SHORTEST.seconds}s or more")
    if every is None and not (len(fields) == 5 and all(map(_CRON.fullmatch, fields))):
        raise ValueError('a cron in UTC or an interval: "*/15 * * * *", "20s", "6h"')
    return value


def _heartbeat_url(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("a URL, http:// or https://, that each completed run calls")
    return value


Schedule = Annotated[str, AfterValidator(_schedule)]
HeartbeatUrl = Annotated[SecretStr, AfterValidator(_heartbeat_url)]
Never = Literal["never"]
Port = Annotated[int, Field(ge=0, le=65535)]


class ScheduleSettings(Strict):
    """When what is not the run of a source runs; `never` leaves it to people."""

    freshness: Schedule | Never = "*/10 * * * *"
    """Judges how stale sources are, and delivers alerts that are pending."""
    canary: Schedule | Never = "20 * * * *"
    """Of each source that allows one."""
    reconcile: Schedule | Never = "15 3 * * *"
    clean: Schedule | Never = "45 3 * * 0"


class UpSettings(Strict):
    """What `headwater up` puts up. A port of 0 is any that is free."""

    prefect_port: Port = 0
    vectors_port: Port = 0
    run_timeout: Duration = timedelta(hours=6)
    """A scheduled run that takes longer is killed; the next goes on where it ended."""
    parallel_runs: Annotated[int, Field(ge=1, le=64)] = 2
    """Runs that write, side by side; where Chroma or the catalog is a folder's, there is one."""
    keep_events: Duration = timedelta(days=7)
    """Prefect's events that are older are deleted."""
    keep_runs: Duration = timedelta(days=30)
    """Prefect's record of runs that ended longer ago is deleted; the catalog keeps its own."""
