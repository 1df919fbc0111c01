"""What a run adds to the totals of its source, which metrics are made of."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import inf
from typing import Final

from flows.runs.report import RunReport
from index.catalog.history import Total
from index.catalog.runs import RunKind

LAG_BOUNDS: Final = (60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 604800, inf)
STAGE_BOUNDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, inf)
RUN_BOUNDS: Final = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 43200, inf)

RUNS: Final = "runs"
DOCUMENTS: Final = "documents"
CHUNKS: Final = "chunks"
TOKENS: Final = "tokens"
BYTES: Final = "bytes"
LAG: Final = "lag_seconds"
STAGE: Final = "stage_duration_seconds"
RUN: Final = "run_duration_seconds"
SUM: Final = "_sum"
"""Behind the name of a histogram: what all its values add up to."""
LAST_BOUND: Final = -1.0
"""Stands for no bound at all, which databases cannot all hold."""


def totals_of(report: RunReport, kind: RunKind) -> Iterator[Total]:
    """What a run that has ended adds, however it did."""
    yield (RUNS, f"{kind} {report.state}", 0, 1)
    for outcome, n in report.tally.outcomes.items():
        yield (DOCUMENTS, outcome.value, 0, n)
    written = report.tally.written
    for name in ("embedded", "reused", "written", "updated", "deleted"):
        yield (CHUNKS, name, 0, getattr(written, name))
    yield (CHUNKS, "rejected", 0, report.tally.n_rejected)
    yield (TOKENS, "embedded", 0, written.tokens_embedded)
    yield (TOKENS, "reused", 0, written.tokens_reused)
    for stage, record in report.stages.items():
        yield from _histogram(STAGE, stage, record.passes, STAGE_BOUNDS)
        yield (BYTES, stage, 0, record.amounts.bytes)
    yield from _histogram(LAG, "", report.lags_followed, LAG_BOUNDS)
    yield from _histogram(RUN, kind.value, [report.seconds["total"]], RUN_BOUNDS)


def _histogram(
    name: str, label: str, values: Sequence[float], bounds: Sequence[float]
) -> Iterable[Total]:
    """A count for each bucket that has any, and the sum."""
    buckets = [0] * len(bounds)
    for value in values:
        buckets[bisect_left(bounds, value)] += 1
    counts = (
        (name, label, LAST_BOUND if bound == inf else float(bound), float(n))
        for bound, n in zip(bounds, buckets, strict=True)
        if n
    )
    return chain(counts, [(name + SUM, label, 0.0, float(sum(values)))] if values else [])
