"""Subtitles."""

import time

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.media_type import SRT, VTT
from parsers.plain import subtitles as parser

SPOKEN = """1
00:00:01,000 --> 00:00:03,500
<i>The kettle</i> is descaled

2
00:00:04,000 --> 00:00:06,000
on Fridays.

3
00:01:05,000 --> 00:01:08,000
Nobody knows why.
"""


def parse(text: str, media_type: str = SRT) -> ParsedDocument:
    return parser.parse(ParseTask(text.encode(), media_type, ParseOptions()))


def test_cues_are_joined_to_sentences_in_paragraphs_of_a_minute():
    document = parse(SPOKEN)
    assert document.text == (
        "[00:00:01] The kettle is descaled on Fridays.\n\n[00:01:05] Nobody knows why."
    )
    assert [block.kind for block in document.blocks] == [BlockKind.PARAGRAPH] * 2
    assert document.properties["n_cues"] == "3"


def test_a_new_cue_at_the_end_moves_no_paragraph_before_it():
    more = SPOKEN + "\n4\n00:01:20,000 --> 00:01:22,000\nStill nobody.\n"
    first = parse(SPOKEN).text.split("\n\n")[0]
    assert parse(more).text.split("\n\n")[0] == first


def test_speakers_title_and_notes_of_webvtt_are_kept_and_styles_are_not():
    document = parse(
        "WEBVTT - Kitchen talk\n\nSTYLE\n::cue { color: red }\n\nNOTE checked by Ann\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start\n<v Ann Lee>Tea &amp; <c.loud>milk?</c>\n\n"
        "00:03.000 --> 00:04.000\n- No.\n- Yes.\n",
        VTT,
    )
    assert document.title == "Kitchen talk"
    assert "checked by Ann" in document.text
    assert "[00:00:01] Ann Lee: Tea & milk? - No. - Yes." in document.text
    assert "color" not in document.text
    assert "-->" not in document.text


def test_rolling_captions_do_not_say_everything_twice():
    text = "00:01.000 --> 00:02.000\nOne line\n\n00:02.000 --> 00:03.000\nOne line\n"
    assert parse(text).text == "[00:00:01] One line"


def test_damaged_times_and_missing_empty_lines_lose_no_words():
    document = parse(
        "1\n00:00:01.5 -> 00:00:02.5\nFirst.\n2\n0:0:03,1 --> nonsense\nSecond.\n\n"
        "3\n00:00:05,000 --> 00:00:06,000\nThird.\n\nFourth, without a time.\n"
    )
    for words in ("First.", "Second.", "Third.", "Fourth, without a time."):
        assert words in document.text


def test_a_number_that_is_said_is_kept():
    assert "42" in parse("1\n00:00:01,000 --> 00:00:02,000\n42\n").text


def test_text_without_any_time_is_kept_as_it_is():
    assert parse("Plain words, no time.").text == "Plain words, no time."


def test_no_cues_are_no_text():
    assert parse("WEBVTT\n\n", VTT).text == ""


def test_a_hundred_thousand_hostile_lines_take_no_time():
    started = time.monotonic()
    parse("<" * 100_000 + "\n" + "0:" * 100_000 + "\n" + "{\\a" * 50_000)
    parse("00:00:01 --> 00:00:02\nx\n\n" * 50_000)
    assert time.monotonic() - started < 5
