"""Numbers of whole runs against thresholds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.corpus import (
    AGAINST_LAST,
    LISTED,
    Threshold,
    Verdict,
    applicable,
    in_words,
    judge,
    measure,
    measure_listing,
    stopping,
)
from flows.metadata.settings import CorpusSettings
from index.catalog.measures import CorpusCounts

COUNTS = CorpusCounts(
    n_documents=40,
    n_quarantined=10,
    n_unreadable=4,
    n_searchable=20,
    n_chunks=100,
    n_distinct_chunks=75,
    languages={"en": 15, "de": 4, "und": 1},
)
bounds = st.none() | st.floats(0, 10)


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.1, "failed"), (0.5, "passed"), (0.9, "warning"), (1.5, "failed")]
)
def test_a_number_stops_below_its_minimum_and_warns_above_its_maximum(value, verdict):
    (judged,) = judge({"n": value}, {"n": 0.6}, {"n": Threshold(0.2, 0.8, 1.2)})
    assert (judged.verdict, judged.before) == (verdict, 0.6)


def test_a_stopping_number_says_its_bound_and_what_it_was_before():
    judged = judge({"n": 0.25}, {"n": 0.75}, {"n": Threshold(min=0.5)})
    assert [in_words(one) for one in stopping(judged)] == ["n is 0.25, below 0.5, 0.75 before"]


@given(st.floats(0, 10), bounds, bounds, bounds)
def test_what_lies_between_all_bounds_passes_and_nothing_else_does(value, low, high, top):
    (judged,) = judge({"n": value}, {}, {"n": Threshold(low, high, top)})
    inside = (
        (low is None or value >= low)
        and (high is None or value <= high)
        and (top is None or value <= top)
    )
    assert (judged.verdict == Verdict.PASSED) is inside
    assert (judged.bound is None) is inside


def test_the_numbers_are_shares_of_what_the_catalog_has():
    assert measure(COUNTS, ("en", "de")) == {
        "share_quarantined": 0.25,
        "share_unreadable": 0.1,
        "chunks_per_document": 5.0,
        "share_duplicate_chunks": 0.25,
        "share_other_languages": 0.05,
    }


def test_nothing_is_measured_of_nothing():
    assert measure(CorpusCounts(0, 0, 0, 0, 0, 0, {}), ("en",)) == {}
    assert measure_listing(0, None) == measure_listing(0, 0) == {LISTED: 0.0}


def test_without_expected_languages_none_is_unexpected():
    assert "share_other_languages" not in measure(COUNTS, ())


def test_a_few_documents_are_judged_by_their_number_alone():
    thresholds = CorpusSettings().thresholds
    assert set(applicable(thresholds, 19, 20)) == {LISTED}
    assert applicable(thresholds, 20, 20) == thresholds
    assert thresholds[AGAINST_LAST] == Threshold(min=0.5)


def test_every_number_can_be_given_a_threshold():
    measured = measure(COUNTS, ("en",)) | measure_listing(1, 2)
    assert measured.keys() == CorpusSettings().thresholds.keys()
