"""Charts as geometry: what the templates draw as SVG. All lengths are in the chart's own units."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flows.dashboard.trends import SHOWN, OutcomesOfRun, Point
from flows.dashboard.words import plural, rough

_TICKS_S: Final = (1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000, 31_536_000)
_LEFT: Final = 66
_RIGHT: Final = 8
_TOP: Final = 10
_BOTTOM: Final = 26
_MAX_TICKS: Final = 5


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at a height, or at a place along the chart."""

    at: float
    label: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class LineChart:
    width: int
    height: int
    left: int
    bottom: int
    line: str
    """The path of the curve."""
    dots: Sequence[Dot]
    ticks: Sequence[Mark]
    """Heights of the scale."""
    limits: Sequence[Mark]
    """Heights of the objective."""
    times: Sequence[Mark]
    summary: str
    """The chart in one sentence, for whoever does not see it."""


@dataclass(frozen=True, slots=True)
class Part:
    y: float
    height: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    parts: Sequence[Part]
    run_id: str
    label: str
    failed: bool


@dataclass(frozen=True, slots=True)
class BarChart:
    width: int
    height: int
    left: int
    bottom: int
    bars: Sequence[Bar]
    ticks: Sequence[Mark]
    summary: str


def sparkline(points: Sequence[Point], width: int = 120, height: int = 28) -> str:
    """The path of a curve without a scale; empty for fewer than two points."""
    if len(points) < 2:
        return ""
    logs = [_log(point.seconds) for point in points]
    low, high = min(logs), max(logs)
    reach = max(high - low, 0.5)
    step = (width - 4) / (len(points) - 1)
    return _path(
        [
            (2 + number * step, height - 3 - (value - low) / reach * (height - 6))
            for number, value in enumerate(logs)
        ]
    )


def time_chart(
    points: Sequence[Point],
    *,
    with_dots: bool,
    limits_s: tuple[float, float],
    width: int = 500,
    height: int = 220,
) -> LineChart | None:
    """Lengths of time on a logarithmic scale; None of fewer than two.

    Args:
        points: The oldest first.
        with_dots: Mark each of them.
        limits_s: After which the objective warns, and is missed.
        width: Of the whole chart.
        height: Of the whole chart.
    """
    warn_after_s, error_after_s = limits_s
    if len(points) < 2:
        return None
    bottom = height - _BOTTOM
    low = _log(min(warn_after_s, *(point.seconds for point in points)) / 2)
    high = _log(max(max(point.seconds for point in points), error_after_s) * 1.5)

    def y(seconds: float) -> float:
        return round(bottom - (_log(seconds) - low) / (high - low) * (bottom - _TOP), 1)

    xs = _along([point.at for point in points], width)
    dots = [
        Dot(x, y(point.seconds), f"{point.at:%Y-%m-%d %H:%M} UTC: {rough(point.seconds)}")
        for x, point in zip(xs, points, strict=True)
    ]
    limits = [
        Mark(y(warn_after_s), f"warn {rough(warn_after_s)}", "warning"),
        Mark(y(error_after_s), f"error {rough(error_after_s)}", "error"),
    ]
    return LineChart(
        width=width,
        height=height,
        left=_LEFT,
        bottom=bottom,
        line=_path([(dot.x, dot.y) for dot in dots]),
        dots=dots if with_dots else (),
        ticks=_ticks(low, high, y),
        limits=limits,
        times=_times(points, xs),
        summary=_in_words(points),
    )


def outcome_chart(
    runs: Sequence[OutcomesOfRun], width: int = 1100, height: int = 200
) -> BarChart | None:
    """What runs did, a bar for each, the oldest first; None without any."""
    if not runs:
        return None
    bottom = height - _BOTTOM
    most = max(1, max(sum(run.counts.values()) for run in runs))
    pitch = min(40.0, (width - _LEFT - _RIGHT) / len(runs))
    scale = (bottom - _TOP) / most
    bars = [
        Bar(
            x=round(_LEFT + number * pitch + pitch * 0.1, 2),
            width=round(pitch * 0.8, 2),
            parts=_stacked(run, bottom, scale),
            run_id=run.run_id,
            label=_run_in_words(run),
            failed=run.state in ("failed", "interrupted"),
        )
        for number, run in enumerate(runs)
    ]
    ticks = [Mark(bottom, "0"), Mark(round(bottom - most * scale, 1), f"{most:,}")]
    changed = sum(sum(run.counts.values()) for run in runs)
    n_failed = sum(bar.failed for bar in bars)
    summary = (
        f"{plural(len(runs), 'run')}, {plural(changed, 'document')} changed, "
        f"{plural(n_failed, 'run')} failed."
    )
    return BarChart(width, height, _LEFT, bottom, bars, ticks, summary)


def _stacked(run: OutcomesOfRun, bottom: float, scale: float) -> list[Part]:
    parts, y = [], float(bottom)
    for outcome in SHOWN:
        height = run.counts.get(outcome.value, 0) * scale
        if height:
            # What happened at all is to be seen, however little it is.
            height = max(height, 2.0)
            y -= height
            parts.append(Part(round(y, 2), round(height, 2), outcome.value))
    return parts


def _run_in_words(run: OutcomesOfRun) -> str:
    did = ", ".join(f"{n:,} {name}" for name, n in run.counts.items() if n) or "nothing changed"
    return f"{run.at:%Y-%m-%d %H:%M} UTC, {run.state.replace('_', ' ')}: {did}"


def _in_words(points: Sequence[Point]) -> str:
    last, worst = points[-1], max(points, key=lambda point: point.seconds)
    return (
        f"{rough(last.seconds)} at last, {rough(worst.seconds)} at worst, on {worst.at:%Y-%m-%d}."
    )


def _ticks(low: float, high: float, y: Callable[[float], float]) -> list[Mark]:
    """Round lengths of time within the scale, not too many."""
    within = [seconds for seconds in _TICKS_S if low <= _log(seconds) <= high]
    step = -(-len(within) // _MAX_TICKS) or 1
    return [Mark(y(seconds), rough(seconds)) for seconds in within[::step]]


def _along(moments: Sequence[datetime], width: int) -> list[float]:
    """Where moments stand, the first at the left and the last at the right."""
    first, last = moments[0].timestamp(), moments[-1].timestamp()
    room = width - _LEFT - _RIGHT
    if last <= first:
        return [_LEFT + room / 2] * len(moments)
    return [round(_LEFT + (one.timestamp() - first) / (last - first) * room, 1) for one in moments]


def _times(points: Sequence[Point], xs: Sequence[float]) -> list[Mark]:
    ends = ((xs[0], points[0].at, "start"), (xs[-1], points[-1].at, "end"))
    return [Mark(x, f"{at:%Y-%m-%d %H:%M}", anchor) for x, at, anchor in ends]


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(
        f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(places)
    )


def _log(seconds: float) -> float:
    return math.log10(max(seconds, 0.1))
