"""Whether a whole run is as it should be: its numbers against thresholds.

Pure. A number below its minimum, or above what it may be at most, stops: the run is failed. One
above its maximum warns.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from index.catalog.measures import CorpusCounts, Measure


@dataclass(frozen=True, slots=True)
class Threshold:
    """Between which numbers all is well; None where there is no bound."""

    min: float | None = None
    """Below it, the run fails."""
    max: float | None = None
    """Above it, the run warns."""
    stop_above: float | None = None
    """Above it, the run fails."""


class Verdict(StrEnum):
    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"


LISTED: Final = "documents_listed"
AGAINST_LAST: Final = "documents_against_last"
SHARE_QUARANTINED: Final = "share_quarantined"


def measure_listing(n_listed: int, n_before: float | None) -> dict[str, float]:
    """The numbers that are known before anything is written."""
    against = {AGAINST_LAST: n_listed / n_before} if n_before else {}
    return {LISTED: float(n_listed), **against}


def measure(numbers: CorpusCounts, expected_languages: Collection[str]) -> dict[str, float]:
    """The numbers that are known at the end of a run; none of nothing."""
    found: dict[str, float] = {}
    if numbers.n_documents:
        found[SHARE_QUARANTINED] = numbers.n_quarantined / numbers.n_documents
        found["share_unreadable"] = numbers.n_unreadable / numbers.n_documents
    if numbers.n_searchable:
        found["chunks_per_document"] = numbers.n_chunks / numbers.n_searchable
        found["share_duplicate_chunks"] = 1 - numbers.n_distinct_chunks / numbers.n_chunks
    if numbers.n_searchable and expected_languages:
        others = (n for name, n in numbers.languages.items() if name not in expected_languages)
        found["share_other_languages"] = sum(others) / numbers.n_searchable
    return found


def judge(
    measured: Mapping[str, float],
    before: Mapping[str, float],
    thresholds: Mapping[str, Threshold],
) -> list[Measure]:
    """What the numbers of a run amount to.

    Args:
        measured: By name.
        before: By name, those of the last run that did not fail.
        thresholds: By name; what has none passes.
    """
    return [
        _judged(name, value, before.get(name), thresholds.get(name, Threshold()))
        for name, value in measured.items()
    ]


def applicable(
    thresholds: Mapping[str, Threshold], n_documents: float, from_documents: int
) -> dict[str, Threshold]:
    """The thresholds that say something of so many documents: of a few, a share does not."""
    return {
        name: threshold
        for name, threshold in thresholds.items()
        if name == LISTED or n_documents >= from_documents
    }


def _judged(name: str, value: float, before: float | None, allowed: Threshold) -> Measure:
    if allowed.min is not None and value < allowed.min:
        return Measure(name, value, before, Verdict.FAILED, allowed.min)
    if allowed.stop_above is not None and value > allowed.stop_above:
        return Measure(name, value, before, Verdict.FAILED, allowed.stop_above)
    if allowed.max is not None and value > allowed.max:
        return Measure(name, value, before, Verdict.WARNING, allowed.max)
    return Measure(name, value, before, Verdict.PASSED, None)


def stopping(measures: Iterable[Measure]) -> list[Measure]:
    """Those for which the run is failed."""
    return [one for one in measures if one.verdict == Verdict.FAILED]


def in_words(measure: Measure) -> str:
    """In one line: the number, the bound that it is beyond, and what it was before."""
    before = "" if measure.before is None else f", {measure.before:.4g} before"
    if measure.bound is None:
        return f"{measure.name} is {measure.value:.4g}{before}"
    side = "below" if measure.value < measure.bound else "above"
    return f"{measure.name} is {measure.value:.4g}, {side} {measure.bound:.4g}{before}"
