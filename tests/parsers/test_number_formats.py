"""Numbers and dates of spreadsheets."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.sheets.number_formats import (
    GENERAL,
    built_in_format,
    plain,
    read_format,
    show,
    show_duration,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, "1"),
        (0.1 + 0.2, "0.3"),
        (-0.0, "0"),
        (1234567.891, "1234567.891"),
        (9007199254740992.0, "9.00719925474099E15"),
        (1e-7, "1e-07"),
    ],
)
def test_a_number_has_no_noise(value, shown):
    assert plain(value) == shown


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.125, "0%", "12.5%"),
        (1 / 3, "0.0%", "33.33%"),
        (0.12345678, "0.0000%", "12.3457%"),
        (0.0000001, "0%", "1e-05%"),
        (45413, "yyyy-mm-dd", "2024-05-01"),
        (45413, "d. mmmm yyyy", "2024-05-01"),
        (45413.5625, "[$-407]dd/mm/yy h:mm;@", "2024-05-01 13:30"),
        (0.5625, "h:mm AM/PM", "13:30"),
        (1.5, "[h]:mm:ss", "36:00"),
        (1200, '#,##0.00 "kg"', "1200kg"),
        (1200, "[$€-407] #,##0", "€1200"),
        (1200, '"$"#,##0;[Red]-"$"#,##0', "$1200"),
        (3, '"Q1 "0', "Q1 3"),
        (5, "0_);[Red](0)", "5"),
        (5, "General", "5"),
        (5, "", "5"),
        (5, "@", "5"),
        (12, 'mmm"x"', "1900-01-12"),
    ],
)
def test_a_format_says_what_a_number_means(value, code, shown):
    assert show(value, read_format(code)).replace(" kg", "kg") == shown


def test_formats_that_are_not_spelled_out_are_known():
    assert show(45413, built_in_format(14)) == "2024-05-01"
    assert show(0.5, built_in_format(10)) == "50%"
    assert built_in_format(2) == GENERAL
    assert built_in_format(99_999) == GENERAL


def test_days_are_counted_from_the_workbooks_own_epoch():
    date = read_format("yyyy-mm-dd")
    assert show(1, date) == "1900-01-01"
    assert show(59, date) == "1900-02-28"
    assert show(61, date) == "1900-03-01"
    assert show(0, date, since_1904=True) == "1904-01-01"


@pytest.mark.parametrize("value", [-1.0, 1e300, float("inf"), float("nan"), 3e6])
def test_a_date_that_never_was_is_a_number(value):
    assert show(value, read_format("yyyy-mm-dd")) == plain(value)


def test_a_negative_duration_keeps_its_sign():
    assert show_duration(timedelta(minutes=-90)) == "-01:30"


@given(st.text(max_size=300), st.floats())
def test_no_format_breaks_it(code, value):
    assert isinstance(show(value, read_format(code)), str)
