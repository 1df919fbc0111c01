"""How fresh sources are, as Prefect artifacts: of the source that was followed, and of all."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.freshness.status import SourceStatus, quick_statuses
from flows.runs.run import Run
from index.errors import StoreUnavailable

GLOBAL_KEY = "freshness"


def publish_freshness(run: Run) -> None:
    """Publish the freshness of a run's source, and of all sources beside each other.

    The run has ended and is recorded: a catalog that is away now makes no failure of it.
    """
    statuses: list[SourceStatus] = []
    with suppress(StoreUnavailable), run.index.catalog.reading() as connection:
        statuses = quick_statuses(run.settings, connection, datetime.now(UTC))
    _publish(run.source.name, statuses)


def _publish(name: str, statuses: Sequence[SourceStatus]) -> None:
    for status in statuses:
        if status.source == name:
            key = re.sub("[^a-z0-9]+", "-", f"freshness-{name}".lower()).strip("-")
            text = _as_markdown(status)
            create_markdown_artifact(text, key=key, description=f"Freshness of {name}")
    rows = [_row(status) for status in statuses]
    create_table_artifact(rows, key=GLOBAL_KEY, description="Freshness of all sources")


def _row(status: SourceStatus) -> dict[str, Any]:
    told = status.freshness.as_json()
    names = ("state", "stale_for_seconds", "breach_in_seconds", "stale_documents", "last_success")
    return {
        "source": status.source,
        **{name: told[name] for name in names},
        "lag_p95_seconds": told["lag_seconds"]["p95"],
        "share_within": told["budget"]["share_within"],
        "chunks": status.n_chunks,
    }


def _as_markdown(status: SourceStatus) -> str:
    told = status.freshness.as_json()
    nested = {
        f"{name} {part}": value
        for name in ("lag_seconds", "budget", "clock_skew")
        for part, value in told[name].items()
    }
    plain = {name: value for name, value in told.items() if not isinstance(value, dict)}
    lines = [f"**{status.source}**: {status.state.value}", "", "| | |", "|---|---:|"]
    lines += [
        f"| {name.replace('_', ' ')} | {value} |"
        for name, value in (plain | nested).items()
        if value not in (None, [])
    ]
    return "\n".join(lines)
