"""Whom to tell what, and when: from what is true now and the alerts that are on.

Pure: nothing is read, asked or sent here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from index.catalog.alerts import Alert, Key, Letter, Phase, Severity


class Kind(StrEnum):
    """What an operator is told of; together with the source it makes an alert."""

    QUARANTINE = "quarantine"
    RUN = "run"
    """A run failed or was interrupted."""
    REMOVAL_GUARD = "removal_guard"
    CORPUS_CHECK = "corpus_check"
    FRESHNESS = "freshness"
    DRIFT = "drift"
    """The vector store is not what the catalog says."""
    SOURCE_UNAVAILABLE = "source_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    HEARTBEAT = "heartbeat"
    """The URL that runs call when they come to their end does not answer."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is true now and that somebody should know."""

    kind: Kind
    source: str
    """Empty where it concerns all of them."""
    severity: Severity
    summary: str
    """What is the matter, in one line, without the source."""
    body: str
    """What is to be known of it, and what to do."""
    newest: datetime | None = None
    """Where it is of many things: when the newest of them happened."""

    @property
    def key(self) -> Key:
        return Key(self.kind, self.source)


ENDINGS: Final[Mapping[str, str]] = {
    Kind.QUARANTINE: "nothing is in quarantine any more",
    Kind.RUN: "a run came to its end",
    Kind.REMOVAL_GUARD: "the removal guard lets runs pass again",
    Kind.CORPUS_CHECK: "the corpus passes its checks again",
    Kind.FRESHNESS: "it is fresh again",
    Kind.DRIFT: "catalog and vector store agree again",
    Kind.SOURCE_UNAVAILABLE: "it can be read again",
    Kind.STORE_UNAVAILABLE: "the stores can be used again",
    Kind.HEARTBEAT: "its heartbeat arrives again",
}
"""What to say of each kind when it ends."""


@dataclass(frozen=True, slots=True)
class Step:
    """An alert that has something to tell, and what."""

    phase: Phase
    alert: Alert
    """As it is from now on."""
    severity: Severity
    """Of the message."""
    body: str

    @property
    def title(self) -> str:
        where = self.alert.key.source or "Headwater"
        return f"[{_MARKS[self.phase].format(self.severity)}] {where}: {self.headline}"

    @property
    def headline(self) -> str:
        ended = self.phase is Phase.RESOLVED
        return ENDINGS[self.alert.key.kind] if ended else self.alert.summary


_MARKS: Final[Mapping[Phase, str]] = {
    Phase.STARTED: "{}",
    Phase.NEWS: "{}",
    Phase.REPEATED: "still {}",
    Phase.ESCALATED: "now {}",
    Phase.RESOLVED: "resolved",
}


def decide(
    conditions: Iterable[Condition],
    on: Mapping[Key, Alert],
    judged: Collection[Key],
    now: datetime,
    *,
    repeat_after: timedelta,
) -> list[Step]:
    """What is to be told now, and of whom it is to be remembered.

    Args:
        conditions: What is true now.
        on: The alerts that started and did not end.
        judged: What was looked at: such an alert ends if no condition is there for it.
        now: The time.
        repeat_after: How long after its last message an alert that is still on is told again.
    """
    true_now = {condition.key: condition for condition in conditions}
    steps = []
    for key, condition in true_now.items():
        before = on.get(key)
        phase = _phase(condition, before, now, repeat_after)
        if phase is not None:
            alert = _remembered(condition, before, now)
            steps.append(Step(phase, alert, condition.severity, _body(condition, alert, phase)))
    ended = (on[key] for key in on if key in judged and key not in true_now)
    return steps + [_resolved(alert, now) for alert in ended]


def _phase(
    condition: Condition, before: Alert | None, now: datetime, repeat_after: timedelta
) -> Phase | None:
    if before is None:
        return Phase.STARTED
    if condition.severity.rank > before.severity.rank:
        return Phase.ESCALATED
    if condition.newest is not None and condition.newest > (before.told_until or before.told_at):
        return Phase.NEWS
    return Phase.REPEATED if now - before.told_at >= repeat_after else None


def _remembered(condition: Condition, before: Alert | None, now: datetime) -> Alert:
    if before is None:
        return Alert(
            condition.key, condition.severity, condition.summary, now, now, condition.newest
        )
    return replace(
        before,
        severity=max(before.severity, condition.severity, key=lambda severity: severity.rank),
        summary=condition.summary,
        told_at=now,
        told_until=condition.newest or before.told_until,
    )


def _resolved(alert: Alert, now: datetime) -> Step:
    lasted = in_words(now - alert.started_at)
    body = (
        f"This is over: {alert.summary}.\n\nIt was so from {moment(alert.started_at)} "
        f"to {moment(now)}, {lasted}. Nothing is left to do."
    )
    return Step(Phase.RESOLVED, replace(alert, resolved_at=now), alert.severity, body)


def _body(condition: Condition, alert: Alert, phase: Phase) -> str:
    if phase is Phase.STARTED:
        return condition.body
    return f"On since {moment(alert.started_at)}.\n\n{condition.body}"


def moment(when: datetime) -> str:
    """For people: `2026-11-22 05:36 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def in_words(span: timedelta) -> str:
    """A length of time in its largest unit or two: `3 d 4 h`, `12 min`, `8 s`."""
    hours, rest = divmod(span.seconds, 3600)
    if span.days:
        return f"{span.days} d {hours} h"
    if hours:
        return f"{hours} h {rest // 60} min"
    return f"{rest // 60} min" if rest >= 60 else f"{rest} s"


@dataclass(frozen=True, slots=True)
class Route:
    """Which messages go to a target."""

    target: str
    """Its name."""
    min_severity: Severity
    sources: Sequence[str]
    """Globs on the names of sources."""

    def takes(self, step: Step) -> bool:
        """Whether it is told; what concerns all sources is for every target."""
        source = step.alert.key.source
        is_asked = not source or any(fnmatchcase(source, glob) for glob in self.sources)
        return is_asked and step.severity.rank >= self.min_severity.rank


def letters(steps: Iterable[Step], routes: Sequence[Route], footer: str) -> list[Letter]:
    """The messages that tell of these steps, each to the targets that it is for."""
    return [
        Letter(
            step.alert.key,
            route.target,
            step.phase,
            step.severity,
            step.title,
            f"{step.body}\n\n{footer}",
        )
        for step in steps
        for route in routes
        if route.takes(step)
    ]
