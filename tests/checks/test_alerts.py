"""When somebody is told, whom, and in what words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import alert_texts
from checks.alerts import ENDINGS, Condition, Kind, Route, Step, decide, letters
from checks.freshness import FreshnessState, Objective
from index.catalog.alerts import Alert, Key, Phase, Severity
from index.catalog.measures import Measure
from index.catalog.quarantine import Digest
from parsers.reasons import REMEDIES, Reason

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WARNING, ERROR = Severity.WARNING, Severity.ERROR
DUPLICATES = Measure("share_duplicate_chunks", 0.4, 0.1, "warning", 0.3)
TOO_FEW = Measure("documents_against_last", 0.25, None, "failed", 0.5)


class Operator:
    """Remembers, as the catalog does, and is told, as a target is."""

    def __init__(self) -> None:
        self.on: dict[Key, Alert] = {}

    def look(self, now: datetime, *conditions: Condition, judged: bool = True) -> list[Step]:
        keys = {*self.on, *(one.key for one in conditions)} if judged else set()
        steps = decide(conditions, self.on, keys, now, repeat_after=DAY)
        self.on |= {step.alert.key: step.alert for step in steps}
        self.on = {key: alert for key, alert in self.on.items() if alert.resolved_at is None}
        return steps


def condition(severity: Severity = WARNING, newest: datetime | None = None) -> Condition:
    return Condition(Kind.QUARANTINE, "handbook", severity, "2 documents", "Mend them.", newest)


def phases(steps: list[Step]) -> list[Phase]:
    return [step.phase for step in steps]


def test_an_alert_is_told_when_it_starts_and_again_only_after_a_day():
    operator = Operator()
    assert phases(operator.look(NOW, condition())) == [Phase.STARTED]
    for hours in range(1, 24):
        assert operator.look(NOW + timedelta(hours=hours), condition()) == []
    (again,) = operator.look(NOW + DAY, condition())
    assert again.phase is Phase.REPEATED
    assert again.title == "[still warning] handbook: 2 documents"
    assert again.body == "On since 2026-06-01 12:00 UTC.\n\nMend them."
    assert operator.look(NOW + DAY + timedelta(hours=23), condition()) == []


def test_it_is_told_at_once_when_it_gets_worse_and_not_when_it_gets_better():
    operator = Operator()
    operator.look(NOW, condition())
    (worse,) = operator.look(NOW + timedelta(minutes=1), condition(ERROR))
    assert worse.phase is Phase.ESCALATED
    assert worse.title == "[now error] handbook: 2 documents"
    assert operator.look(NOW + timedelta(minutes=2), condition()) == []
    assert operator.look(NOW + timedelta(minutes=3), condition(ERROR)) == []


def test_its_end_is_told_with_how_long_it_was_and_to_all_who_knew():
    operator = Operator()
    operator.look(NOW, condition(ERROR))
    operator.look(NOW + timedelta(hours=1), condition())
    (end,) = operator.look(NOW + timedelta(hours=2, minutes=5))
    assert end.title == "[resolved] handbook: nothing is in quarantine any more"
    assert "from 2026-06-01 12:00 UTC to 2026-06-01 14:05 UTC, 2 h 5 min" in end.body
    assert Route("ops", ERROR, ["*"]).takes(end)
    assert operator.look(NOW + timedelta(hours=3)) == []
    assert phases(operator.look(NOW + timedelta(hours=4), condition())) == [Phase.STARTED]


def test_what_was_not_looked_at_does_not_end():
    operator = Operator()
    operator.look(NOW, condition())
    assert operator.look(NOW + timedelta(hours=1), judged=False) == []
    assert operator.on


def test_more_of_the_same_is_news_and_nothing_new_is_none():
    operator = Operator()
    operator.look(NOW, condition(newest=NOW - timedelta(minutes=1)))
    assert (
        operator.look(NOW + timedelta(hours=1), condition(newest=NOW - timedelta(minutes=1))) == []
    )
    later = NOW + timedelta(hours=2)
    assert phases(operator.look(later, condition(newest=later))) == [Phase.NEWS]
    assert operator.look(later + timedelta(hours=1), condition(newest=later)) == []


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from([None, WARNING, ERROR]))))
def test_whatever_happens_each_alert_starts_and_ends_in_turn_and_is_never_told_too_often(days):
    operator, now, told, is_on = Operator(), NOW, NOW - DAY, False
    for hours, severity in days:
        now += timedelta(hours=hours)
        steps = operator.look(now, *([condition(severity)] if severity else []))
        assert len(steps) <= 1
        for step in steps:
            assert (step.phase is Phase.STARTED) == (not is_on)
            assert step.phase is not Phase.REPEATED or now - told >= DAY
            is_on, told = step.phase is not Phase.RESOLVED, now
        assert is_on == (severity is not None)
        assert not is_on or now - told < DAY


@pytest.mark.parametrize(
    ("route", "source", "severity", "takes"),
    [
        (Route("ops", WARNING, ["*"]), "handbook", WARNING, True),
        (Route("ops", ERROR, ["*"]), "handbook", WARNING, False),
        (Route("ops", ERROR, ["*"]), "handbook", ERROR, True),
        (Route("ops", WARNING, ["hr-*", "hand*"]), "handbook", WARNING, True),
        (Route("ops", WARNING, ["hr-*"]), "handbook", ERROR, False),
        (Route("ops", WARNING, ["hr-*"]), "", ERROR, True),
    ],
)
def test_a_target_is_told_of_its_sources_from_its_severity_on(route, source, severity, takes):
    told = Condition(Kind.STORE_UNAVAILABLE, source, severity, "s", "b")
    steps = decide([told], {}, (), NOW, repeat_after=DAY)
    assert bool(letters(steps, [route], "")) == takes


def test_every_kind_has_words_for_its_end():
    assert set(ENDINGS) == set(Kind)


def digest(n: int, newest: datetime = NOW, **counts: int) -> Digest:
    first = tuple((f"{i:02}.pdf", "corrupt") for i in range(min(n, 10)))
    return Digest(counts or {"corrupt": n}, first if n else (), newest if n else None)


def quarantined(new: Digest, everything: Digest, share: float | None = 0.01) -> Condition:
    return alert_texts.quarantined("handbook", new, everything, share=share, max_share=0.2)


def test_a_digest_has_a_line_for_each_reason_the_most_frequent_first():
    both = digest(12, corrupt=4, encrypted=8)
    told = quarantined(both, both)
    lines = told.body.splitlines()
    assert told.summary == "12 new documents in quarantine"
    assert lines[:2] == [
        f"8 encrypted: {REMEDIES[Reason.ENCRYPTED]}",
        f"4 corrupt: {REMEDIES[Reason.CORRUPT]}",
    ]
    assert lines[3:14] == [*(f"- {i:02}.pdf (corrupt)" for i in range(10)), "- and 2 more"]


def test_a_digest_tells_what_is_new_or_else_all():
    assert quarantined(digest(1), digest(3)).summary == "1 new document in quarantine, 3 in all"
    assert quarantined(digest(0), digest(3)).summary == "3 documents in quarantine"


@pytest.mark.parametrize(
    ("n", "share", "severity"),
    [(5, 0.2, WARNING), (5, 0.21, ERROR), (1, 1.0, WARNING), (5, None, WARNING)],
)
def test_too_large_a_share_in_quarantine_is_an_error_but_one_document_is_not(n, share, severity):
    told = quarantined(digest(n), digest(n), share)
    assert told.severity is severity
    assert ("more than 20% is too much" in told.body) == (severity is ERROR)


def test_a_name_calls_nobody_breaks_no_line_and_is_not_endless():
    names = ["<!channel>.pdf", "@everyone.pdf", "two\nlines\x1b.pdf", "x" * 900]
    told = alert_texts.removal_withheld("handbook", names)
    shown = [line for line in told.body.splitlines() if line.startswith("- ")]
    assert len(shown) == 4
    assert not any(ping in told.body for ping in ("!channel", "@everyone", "\x1b"))
    assert max(len(line) for line in shown) < 210


def test_what_a_library_said_loses_the_secrets_of_urls():
    said = "s3://KEY:SECRET@bucket/a: 403 for https://b.example/a?sig=SECRET&x=1 today\nSECRET"
    told = alert_texts.source_unavailable("handbook", said).body
    assert told.startswith("s3://bucket/a: 403 for https://b.example/a?… today\n")
    assert "SECRET" not in told


def test_each_text_says_what_to_do():
    told = [
        alert_texts.removal_withheld("handbook", ["a.md"]),
        alert_texts.run_failed("handbook", "x"),
        alert_texts.run_interrupted("handbook", killed=True),
        alert_texts.run_interrupted("handbook", killed=False),
        alert_texts.source_unavailable("handbook", "x"),
        alert_texts.store_unavailable("x", "y"),
        alert_texts.stale("handbook", FreshnessState.ERROR, DAY, Objective(DAY / 12, DAY / 2)),
        alert_texts.drifted({"missing": 1, "wrong_metadata": 2}, n_mended=0),
        alert_texts.heartbeat_failed("handbook", "x"),
        alert_texts.out_of_bounds("handbook", [DUPLICATES]),
        quarantined(digest(1), digest(1)),
    ]
    assert all("headwater " in one.body for one in told)
    assert {one.kind for one in told} == set(Kind)


def test_a_number_that_stops_is_an_error_and_of_many_each_has_its_line():
    warned = alert_texts.out_of_bounds("handbook", [DUPLICATES])
    assert warned.severity is WARNING
    assert warned.summary == "share_duplicate_chunks is 0.4, above 0.3, 0.1 before"
    assert "--allow-removal" not in warned.body
    stopped = alert_texts.out_of_bounds("handbook", [TOO_FEW, DUPLICATES])
    assert stopped.severity is ERROR
    assert stopped.summary == "2 numbers are out of their bounds"
    assert stopped.body.splitlines()[:2] == [
        "documents_against_last is 0.25, below 0.5",
        warned.summary,
    ]
    assert "headwater ingest handbook --allow-removal" in stopped.body
