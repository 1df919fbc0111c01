"""Text or no text."""

import pytest

from checks.text_quality import judge, judge_text
from parsers.document import Page, ParsedDocument
from parsers.reasons import Reason

ENGLISH = (
    "Annual leave accrues with every pay period, and unused hours carry over to the next year. "
    "Ask your supervisor before you book anything, and write down when you will be back. "
)


def document(*pages: Page, text: str) -> ParsedDocument:
    return ParsedDocument(text, (), "application/pdf", "pdf", "1", pages)


@pytest.mark.parametrize("text", ["", " \n\t", "\u00a0\u2003", "-----", "• • •", "| | |"])
def test_no_letter_and_no_digit_is_empty(text):
    assert judge_text(text) is Reason.EMPTY_TEXT


@pytest.mark.parametrize(
    "text",
    [
        "\ufffd" * 16,
        "Some words " + "\ufffd" * 5,
        "\ue001\ue002\ue003 \ue004",
        "(cid:12)(cid:44)(cid:9)(cid:101)",
        "/g437/g258/g12 /g44",
        "$5ӝ߸ࣿചীࠁې ܲٮউӝࣿ ࠁݎҊࢲ ࠁউ࠙ Ҵоࠁউӝߊࣿ",
        "".join(chr((ord(c) - 97 + 3) % 26 + 97) if c.islower() else c for c in ENGLISH * 3),
    ],
)
def test_noise_is_garbled(text):
    assert judge_text(text) is Reason.GARBLED_TEXT


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        "7",
        "1 2 3\n4 5 6",
        "Über den Wolken muss die Freiheit wohl grenzenlos sein.",
        "Všichni lidé se rodí svobodní a sobě rovní co do důstojnosti a práv. Strč prst skrz krk.",
        "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。",
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
        "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.",
        "Все люди рождаются свободными и равными в своем достоинстве и правах.",
        "SKU-4431 | RTX9000 | 12 pcs\nSKU-4432 | HDMI | 4 pcs",
        "def f(x):\n    return [y for y in x if y]  # html css npm xml http",
        "https://www.example.com/ " * 10 + ENGLISH,
    ],
)
def test_text_in_any_language_is_text(text):
    assert judge_text(text) is None


def test_pages_that_cannot_be_used_are_named_with_the_reason():
    text = ENGLISH + "\ufffd" * 40
    end = len(ENGLISH)
    verdict = judge(
        document(
            Page(1, 0, end),
            Page(2, end, end, has_picture=True),
            Page(3, end, len(text)),
            Page(4, len(text), len(text), problem="pypdf: KeyError"),
            text=text,
        )
    )
    assert verdict.code is None
    assert [(problem.number, problem.code) for problem in verdict.problems] == [
        (2, Reason.EMPTY_TEXT),
        (3, Reason.GARBLED_TEXT),
        (4, Reason.CORRUPT),
    ]


def test_a_document_of_pictures_is_empty():
    verdict = judge(document(Page(1, 0, 0, has_picture=True), Page(2, 0, 0), text=""))
    assert verdict.code is Reason.EMPTY_TEXT
    assert "2 of 2 pages" in verdict.detail


def test_a_page_number_below_a_scan_does_not_make_it_text():
    assert judge(document(Page(1, 0, 4, has_picture=True), text="- 3 ")).code is Reason.EMPTY_TEXT


def test_a_short_page_without_a_picture_is_text():
    assert judge(document(Page(1, 0, 5), text="1 2 3")).code is None
