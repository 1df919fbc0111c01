"""The characters of a PDF, as a search would spell them."""

import time

import pytest

from parsers.pdf.text import HYPHEN, join_lines, normalise, vocabulary


def joined(*lines: str, elsewhere: str = "") -> str:
    return join_lines(lines, vocabulary([elsewhere, *lines]))


@pytest.mark.parametrize(
    ("drawn", "read"),
    [
        ("eﬃcient ﬁles", "efficient files"),
        ("soft\u00adware", "software"),
        ("a\u00a0b\u2009c   d", "a b c d"),
        ("\u2f00\u2f08", "一人"),
        ("ﻻ", "لا"),
        ("zero\u200bwidth", "zerowidth"),
        ("\ufffd First point", "• First point"),
        ("\uf0b7 First point", "• First point"),
        ("Chapter 1 ............ 7", "Chapter 1 ... 7"),
        ("wait... what", "wait... what"),
        ("½ km² Ω", "½ km² Ω"),
        ("", ""),
    ],
)
def test_what_is_drawn_is_spelled_as_it_is_searched_for(drawn, read):
    assert normalise(drawn) == read


def test_a_word_that_a_line_end_cuts_is_whole():
    assert joined("some informa-", "tion here") == "some information here"
    assert joined(f"some informa{HYPHEN}", "tion here") == "some information here"
    assert joined("some informa\u00ad", "tion here") == "some information here"


def test_a_compound_keeps_its_hyphen_if_the_document_spells_it_so_elsewhere():
    assert joined("a well-", "known man", elsewhere="It is well-known.") == "a well-known man"


def test_a_compound_with_a_word_of_the_document_keeps_its_hyphen():
    assert joined("a market-", "based one", elsewhere="It is based here.") == "a market-based one"
    assert joined("an out-", "break of", elsewhere="A break, out there.") == "an outbreak of"
    assert joined("by Risten-", "part and", elsewhere="One part.") == "by Ristenpart and"


def test_a_word_that_the_document_spells_in_one_loses_its_hyphen():
    elsewhere = "The data and the base make a database."
    assert joined("one data-", "base more", elsewhere=elsewhere) == "one database more"


def test_a_compound_of_more_parts_and_a_name_keep_their_hyphens():
    assert joined("state-of-the-", "art work") == "state-of-the-art work"
    assert joined("the Jean-", "Paul street") == "the Jean-Paul street"


def test_a_dash_and_a_hyphen_at_the_end_of_all_are_left():
    assert joined("one -", "two") == "one - two"
    assert joined(f"pre{HYPHEN}") == "pre-"
    assert joined("from 10-", "20 on") == "from 10- 20 on"


def test_chinese_and_japanese_lines_are_joined_without_a_space():
    assert joined("今日は天気が", "いいです。") == "今日は天気がいいです。"
    assert joined("今日は", "good day") == "今日は good day"


def test_korean_words_are_joined_where_the_document_knows_the_whole():
    assert joined("확", "진자는 몇 명", elsewhere="새 확진자는 없다") == "확진자는 몇 명"
    assert joined("국내", "보험", elsewhere="") == "국내 보험"


def test_a_space_before_an_arabic_mark_is_moved_behind_its_letter():
    assert normalise("أي ًضا") == "أيضًا"


@pytest.mark.parametrize("line", ["a" * 200_000, "-" * 200_000, "a-" * 100_000, ". " * 100_000])
def test_no_line_takes_longer_than_its_length_asks_for(line):
    started = time.monotonic()
    joined(normalise(line), normalise(line))
    assert time.monotonic() - started < 2


def test_many_cut_lines_take_no_longer_than_their_length_asks_for():
    started = time.monotonic()
    assert len(joined(*["abcd-"] * 50_000)) > 200_000
    assert time.monotonic() - started < 2
