"""From bytes to characters."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.text_encoding import decode, is_text

GERMAN = "Die Überprüfung der Größe dauert fünf Minuten. Straßen müssen geräumt werden. " * 5


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso-8859-1"],
)
def test_german_is_read_in_any_common_encoding(encoding):
    data = GERMAN.encode(encoding)
    assert is_text(data)
    assert decode(data)[0] == GERMAN


def test_one_broken_byte_does_not_turn_utf8_into_something_else():
    text = decode(GERMAN.encode() + b"\xff" + GERMAN.encode())[0]
    assert text.count("ü") == 2 * GERMAN.count("ü")


@given(st.text())
def test_utf8_is_taken_at_its_word(text):
    marked = text.encode().startswith((b"\xef\xbb\xbf",))
    if not marked and "\x00" not in text:
        assert decode(text.encode())[0] == text


def test_random_bytes_are_not_text():
    assert not any(is_text(os.urandom(4096)) for _ in range(20))
