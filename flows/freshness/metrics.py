"""What Prometheus is told: the catalog as it is, in its exposition text.

Everything is read when it is asked for, so a restart loses nothing, and there is no state here.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection

from checks.freshness import FreshnessState
from flows.freshness.sources import SourceFreshness
from flows.freshness.status import SourceStatus, quick_statuses
from flows.runs import totals
from flows.settings import Settings
from index.catalog import alerts as alert_rows
from index.catalog import history
from index.catalog.database import Catalog
from index.catalog.history import Total

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PERCENTILES: Final = {"50": "p50", "95": "p95", "99": "p99", "100": "max"}
_TIMES: Final = {
    "last_check": "When the source was last listed.",
    "last_success": "When the last run over the source that did not fail ended.",
    "complete_as_of": "When that run began to list the source.",
    "newest_change_seen": "Newest modification time seen at the source.",
    "newest_change_searchable": "Newest modification time of what a search finds.",
    "oldest_change_waiting": "The oldest change that is not searchable yet; absent if all are.",
    "true_until": "Until when all that the source said is known to be searchable.",
}
_COUNTERS: Final = {
    totals.DOCUMENTS: ("headwater_documents", "Documents by what runs did with them.", "outcome"),
    totals.CHUNKS: ("headwater_chunks", "Chunks by what runs did with them.", "change"),
    totals.TOKENS: ("headwater_tokens", "Tokens that were embedded, or found in the cache.", "how"),
    totals.BYTES: ("headwater_stage_bytes", "Bytes that stages worked on.", "stage"),
}
_HISTOGRAMS: Final = {
    totals.LAG: ("Time from a change at the source until it is searchable.", totals.LAG_BOUNDS),
    totals.STAGE: ("Time of one pass of a stage, over a batch or a document.", totals.STAGE_BOUNDS),
    totals.RUN: ("Time of a run.", totals.RUN_BOUNDS),
}
_LABELS: Final = {totals.LAG: (), totals.STAGE: ("stage",), totals.RUN: ("kind",)}


def render_metrics(settings: Settings, catalog: Catalog, now: datetime | None = None) -> bytes:
    """The exposition text, to be served as `CONTENT_TYPE`.

    Args:
        settings: With the sources and their objectives.
        catalog: That knows.
        now: The time, if it is to be another one.

    Raises:
        StoreUnavailable: The catalog cannot be read.
    """
    registry = CollectorRegistry()
    registry.register(_Reading(settings, catalog, now or datetime.now(UTC)))
    return bytes(generate_latest(registry))


def write_metrics(text: bytes, file: Path) -> None:
    """Put metrics where a textfile collector finds them: all or what was there before.

    Raises:
        OSError: It cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text)
        made.chmod(0o644)  # The collector runs as another user.
        made.replace(file)
    except OSError:
        made.unlink(missing_ok=True)
        raise


class _Reading(Collector):
    """The catalog at one moment, as families of metrics."""

    def __init__(self, settings: Settings, catalog: Catalog, now: datetime) -> None:
        self._settings, self._catalog, self._now = settings, catalog, now

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are checked by a test, and to tell them here would read everything."""
        return ()

    def collect(self) -> Iterator[Metric]:
        with self._catalog.reading() as connection:
            statuses = quick_statuses(self._settings, connection, self._now)
            added = history.totals(connection)
            on = _alerts(connection)
        yield _gauge("headwater_build_info", "What is running.", ["version"],
                     [([version("headwater")], 1)])  # fmt: skip
        yield from _clocks([one.freshness for one in statuses])
        yield from _objectives([one.freshness for one in statuses])
        yield from _counts(statuses)
        yield from _lags([one.freshness for one in statuses])
        yield from _canaries([one.freshness for one in statuses])
        yield on
        yield from _counters(added)
        yield from _histograms(added)


_Samples = Iterable[tuple[Sequence[str], float | None]]


def _gauge(name: str, said: str, labels: Sequence[str], samples: _Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, said, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family


def _of_source(
    name: str, said: str, samples: Iterable[tuple[SourceFreshness, float | None]]
) -> GaugeMetricFamily:
    values = (([found.source], value) for found, value in samples)
    return _gauge(f"headwater_source_{name}", said, ["source"], values)


def _stamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _clocks(found: Sequence[SourceFreshness]) -> Iterator[Metric]:
    for name, said in _TIMES.items():
        times = ((one, _stamp(getattr(one.clocks, name))) for one in found)
        yield _of_source(f"{name}_timestamp_seconds", said, times)
    said = "1 if the source could not be listed when that was last tried."
    yield _of_source("check_failed", said, ((one, one.clocks.check_failed) for one in found))
    states = (
        ([one.source, state.value], one.state is state) for one in found for state in FreshnessState
    )
    said = "1 for the state that the source is in."
    yield _gauge("headwater_source_state", said, ["source", "state"], states)


def _objectives(found: Sequence[SourceFreshness]) -> Iterator[Metric]:
    limits = (
        ([one.source, bound], limit.total_seconds())
        for one in found
        for bound, limit in (
            ("warn_after", one.objective.warn_after),
            ("error_after", one.objective.error_after),
        )
    )
    said = "How stale the source may be."
    yield _gauge("headwater_source_objective_seconds", said, ["source", "bound"], limits)
    said = "Share of the time in which the source is to be within its objective."
    yield _of_source("target_ratio", said, ((one, one.objective.target) for one in found))
    said = "Share of the last 30 days in which the source was within its objective."
    yield _of_source("within_ratio", said, ((one, one.budget.share_within) for one in found))
    said = "Share of the error budget of 30 days that is left; below 0 if it is overdrawn."
    yield _of_source("budget_left_ratio", said, ((one, one.budget.left) for one in found))
    said = "Share of recent changes that were searchable within the objective."
    shares = ((one, one.share_within) for one in found)
    yield _of_source("changes_within_ratio", said, shares)


def _counts(statuses: Sequence[SourceStatus]) -> Iterator[Metric]:
    found = [one.freshness for one in statuses]
    by_outcome = (
        ([one.source, outcome], n) for one in statuses for outcome, n in one.documents.items()
    )
    said = "Documents in the source by the outcome of the last run that read them."
    yield _gauge("headwater_source_documents", said, ["source", "outcome"], by_outcome)
    said = "Documents that a search can find."
    counted = ((one, one.documents.n_searchable) for one in found)
    yield _of_source("searchable_documents", said, counted)
    said = "Documents whose last good version is searchable though it changed since."
    yield _of_source("stale_documents", said, ((one, one.n_stale) for one in found))
    said = "Documents that the last run left to the next, having read as many as it may."
    yield _of_source("left_documents", said, ((one, one.n_left) for one in found))
    said = "Documents with a modification time in the future."
    yield _of_source("skewed_documents", said, ((one, one.skew.n_documents) for one in found))
    said = "Chunks that a search can find."
    yield _of_source("chunks", said, ((one.freshness, one.n_chunks) for one in statuses))
    entries = (([one.source, code], n) for one in statuses for code, n in one.quarantined.items())
    said = "Documents in quarantine by reason."
    yield _gauge("headwater_source_quarantined_documents", said, ["source", "code"], entries)


def _lags(found: Sequence[SourceFreshness]) -> Iterator[Metric]:
    samples = (
        ([one.source, percentile], getattr(one.lags.seconds, name))
        for one in found
        if one.lags.seconds
        for percentile, name in _PERCENTILES.items()
    )
    said = "Lag of what became searchable in the last 7 days."
    yield _gauge("headwater_source_recent_lag_seconds", said, ["source", "percentile"], samples)


def _canaries(found: Sequence[SourceFreshness]) -> Iterator[Metric]:
    written = [(one, one.canary) for one in found if one.canary]
    said = "When the canary was last written."
    times = ((one, _stamp(canary.written_at)) for one, canary in written)
    yield _of_source("canary_written_timestamp_seconds", said, times)
    said = "Time until a search found the canary; absent if none did."
    yield _of_source("canary_lag_seconds", said, ((o, canary.lag_seconds) for o, canary in written))
    said = "1 if a search found the canary that was last written."
    yield _of_source("canary_found", said, ((o, canary.error is None) for o, canary in written))


def _alerts(connection: Connection) -> Metric:
    samples = (
        ([key.kind, key.source, alert.severity.value], 1.0)
        for key, alert in alert_rows.alerts_on(connection).items()
    )
    said = "1 for each alert that is on; an empty source means all of them."
    return _gauge("headwater_alert", said, ["kind", "source", "severity"], samples)


def _counters(added: Mapping[str, Sequence[Total]]) -> Iterator[Metric]:
    runs = CounterMetricFamily(
        "headwater_runs", "Runs that have ended.", labels=["source", "kind", "state"]
    )
    families = {
        name: CounterMetricFamily(metric, said, labels=["source", label])
        for name, (metric, said, label) in _COUNTERS.items()
    }
    for source, those in added.items():
        for name, label, _, value in those:
            if name == totals.RUNS:
                runs.add_metric([source, *label.split(" ")], value)
            elif name in families:
                families[name].add_metric([source, label], value)
    yield runs
    yield from families.values()


def _histograms(added: Mapping[str, Sequence[Total]]) -> Iterator[Metric]:
    for name, (said, bounds) in _HISTOGRAMS.items():
        labels = ["source", *_LABELS[name]]
        family = HistogramMetricFamily(f"headwater_{name}", said, labels=labels)
        for source, those in added.items():
            for label, (counts, total) in _by_label(name, those).items():
                values = [source, label][: len(labels)]
                family.add_metric(values, _cumulated(counts, bounds), total)
        yield family


def _by_label(name: str, added: Sequence[Total]) -> dict[str, tuple[dict[float, float], float]]:
    """By label, how many values fell into each bucket, and what all add up to."""
    counts: defaultdict[str, dict[float, float]] = defaultdict(dict)
    sums: defaultdict[str, float] = defaultdict(float)
    for one, label, bound, value in added:
        if one == name:
            counts[label][bound] = value
        elif one == name + totals.SUM:
            sums[label] = value
    return {label: (buckets, sums[label]) for label, buckets in counts.items()}


def _cumulated(counts: Mapping[float, float], bounds: Sequence[float]) -> list[tuple[str, float]]:
    names = [*(f"{float(bound)}" for bound in bounds[:-1]), "+Inf"]
    held = [counts.get(bound, 0.0) for bound in (*bounds[:-1], totals.LAST_BOUND)]
    return list(zip(names, accumulate(held), strict=True))
