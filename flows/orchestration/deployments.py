"""Which flows run by themselves, and when: what the settings ask Prefect for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.settings import Settings

WAIT_S: Final = 3600.0
"""How long a scheduled run waits for another process that writes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment as it is to be."""

    flow: str
    entrypoint: str
    name: str
    parameters: dict[str, str | float | None]
    schedule: str | None = None
    """A cron in UTC, or an interval."""
    writes: bool = True

    @property
    def full_name(self) -> str:
        return f"{self.flow}/{self.name}"


def wanted_deployments(settings: Settings, config: Path | None, state: Path | None) -> list[Wanted]:
    """A deployment for each source, and those that keep the stores in order.

    Args:
        settings: Read from `config`.
        config: The settings file, absolute, if there is one.
        state: The state directory, absolute, if it is not the one in the settings.
    """
    where: dict[str, str | float | None] = {
        "config": str(config) if config else None,
        "state": str(state) if state else None,
    }
    waiting = where | {"wait_s": WAIT_S}
    when = settings.schedules
    return [
        *(
            Wanted(
                "ingest",
                "flows.ingest.ingest",
                source.name,
                waiting | {"source": source.name},
                source.schedule,
            )
            for source in settings.sources
        ),
        Wanted(
            "freshness",
            "flows.scheduled.freshness",
            "freshness",
            where,
            _unless_never(when.freshness),
            writes=False,
        ),
        *(
            Wanted(
                "canary",
                "flows.scheduled.canary",
                source.name,
                waiting | {"source": source.name},
                _unless_never(when.canary),
                # Where the source's own schedule is waited for, nothing is written by it.
                writes=source.schedule is None,
            )
            for source in settings.sources
            if source.canary.enabled
        ),
        _upkeep("reconcile", waiting, when.reconcile),
        _upkeep("clean", waiting, when.clean),
        Wanted("reprocess", "flows.reprocess.reprocess", "reprocess", waiting),
    ]


def _upkeep(name: str, parameters: dict[str, str | float | None], schedule: str) -> Wanted:
    return Wanted(name, f"flows.scheduled.{name}", name, parameters, _unless_never(schedule))


def _unless_never(schedule: str) -> str | None:
    return None if schedule == "never" else schedule
