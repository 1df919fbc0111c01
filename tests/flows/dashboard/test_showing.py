"""Words, charts and stretches of text: the parts that are pure."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.dashboard import charts, words
from flows.dashboard.documents import stretches
from flows.dashboard.links import next_run, prefect_url
from flows.dashboard.trends import OutcomesOfRun, Point

NOW = datetime(2026, 11, 22, 12, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (7200, "2 h"),
        (90061, "1 d 1 h"),
        (86460, "1 d"),
    ],
)
def test_lengths_of_time_are_said_in_two_units_at_most(seconds, said):
    assert words.span(seconds) == said


def test_moments_are_said_from_now_on_either_side():
    assert words.from_now(NOW - timedelta(minutes=5, seconds=3), NOW) == "5 min ago"
    assert words.from_now(NOW + timedelta(days=2), NOW) == "in 2 d"
    assert words.from_now(NOW - timedelta(seconds=7.4), NOW) == "7 s ago"
    assert words.from_now("2026-11-22T12:06:59.500Z", NOW) == "now"
    assert words.from_now(None, NOW) == "never"


def test_names_show_signs_that_would_hide_or_turn_others():
    assert words.name("a\u202egnp.exe\n\x00é 中") == "a\ufffdgnp.exe\ufffd\ufffdé 中"


def test_a_schedule_says_when_it_is_next_due():
    assert next_run("*/15 * * * *", NOW) == datetime(2026, 11, 22, 12, 15, tzinfo=UTC)
    assert next_run("20m", NOW, NOW - timedelta(minutes=5)) == NOW + timedelta(minutes=15)
    assert next_run("20m", NOW, NOW - timedelta(days=5)) == NOW
    assert next_run("no schedule", NOW) is None
    assert next_run(None, NOW) is None


def test_a_flow_run_is_linked_where_prefect_has_pages(monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.delenv("PREFECT_UI_URL", raising=False)
    assert prefect_url("abc") == "http://127.0.0.1:4200/runs/flow-run/abc"
    assert prefect_url(None) is None
    monkeypatch.setenv("PREFECT_UI_URL", "javascript:alert(1)")
    assert prefect_url("abc") is None


def points(*seconds: float) -> list[Point]:
    return [Point(NOW + timedelta(hours=n), one) for n, one in enumerate(seconds)]


def test_a_chart_puts_a_limit_above_what_keeps_to_it():
    chart = charts.time_chart(points(60, 600, 30), with_dots=True, limits_s=(7200, 86400))
    warn, error = chart.limits
    assert error.at < warn.at < min(dot.y for dot in chart.dots)
    assert chart.dots[1].y < chart.dots[0].y < chart.dots[2].y <= chart.bottom
    late = charts.time_chart(points(50_000, 60_000), with_dots=True, limits_s=(7200, 86400))
    assert max(dot.y for dot in late.dots) < late.limits[0].at < late.bottom
    assert "30 s at last" in chart.summary
    assert "10 min at worst" in chart.summary
    assert charts.time_chart(points(60), with_dots=True, limits_s=(7200, 86400)) is None


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=50))
def test_every_point_is_within_its_chart(seconds):
    chart = charts.time_chart(points(*seconds), with_dots=True, limits_s=(60, 600))
    for dot in chart.dots:
        assert 0 <= dot.y <= chart.height
        assert chart.left <= dot.x <= chart.width


def test_a_bar_shows_all_that_a_run_did_and_whether_it_failed():
    did = {"indexed": 5_000, "partial": 0, "quarantined": 1, "removed": 0}
    nothing = dict.fromkeys(did, 0)
    chart = charts.outcome_chart(
        [OutcomesOfRun("a", NOW, "completed", did), OutcomesOfRun("b", NOW, "failed", nothing)]
    )
    first, second = chart.bars
    assert [part.outcome for part in first.parts] == ["indexed", "quarantined"]
    assert all(part.height >= 2 for part in first.parts)
    assert (first.failed, second.failed, second.parts) == (False, True, [])
    assert charts.outcome_chart([]) is None


@given(
    st.text(max_size=200),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)), max_size=8),
)
def test_stretches_are_the_text_and_nothing_twice(text, spans):
    cut = sorted((min(a, len(text)), min(a + n, len(text))) for a, n in spans)
    chunks = [
        {
            "chunk_id": str(number),
            "ordinal": number,
            "char_start": start,
            "char_end": end,
            "page_first": None,
            "page_last": None,
        }
        for number, (start, end) in enumerate(cut)
    ]
    found = stretches(text, chunks, 0, len(text))
    assert "".join(one.text for one in found) == text
    assert [one.chunk_id for one in found if one.chunk_id] == [one["chunk_id"] for one in chunks]
