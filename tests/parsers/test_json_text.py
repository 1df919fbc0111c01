"""JSON and JSON lines."""

import json
import time

import pytest

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt
from parsers.media_type import JSON, JSON_LINES
from parsers.plain import json as parser


def parse(value: object, media_type: str = JSON) -> ParsedDocument:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return parser.parse(ParseTask(data, media_type, ParseOptions()))


def test_each_value_stands_with_the_path_to_it():
    document = parse({"name": "Kitchen", "kettle": {"descaled": {"day": "Friday"}, "on": True}})
    assert document.text.split() == [
        *("name:", "Kitchen", "kettle.descaled.day:", "Friday", "kettle.on:", "true"),
    ]
    assert document.title == "Kitchen"


def test_a_list_of_plain_records_is_a_table_with_a_header():
    document = parse({"rents": [{"city": "Linz", "rent": 9}, {"city": "Graz", "new": None}]})
    table = document.blocks[-1]
    assert table.kind is BlockKind.TABLE
    assert table.label == "city | rent | new"
    words = document.text[table.start : table.end]
    assert words == "city | rent | new\nLinz | 9 | \nGraz |  |".rstrip()
    assert "rents:" in document.text


def test_records_that_share_no_keys_are_no_table():
    document = parse([{"a": "1"}, {"b": "2"}, {"c": "3"}, {"d": "4"}])
    assert all(block.kind is BlockKind.LIST_ITEM for block in document.blocks)
    assert document.text == "a: 1\nb: 2\nc: 3\nd: 4"


def test_a_record_inside_a_list_keeps_its_place_in_the_path():
    document = parse({"books": [{"title": "One", "tags": {"x": "1"}}, {"title": "Two"}]})
    assert "books[0].tags.x: 1" in document.text
    assert "books[1].title: Two" in document.text


def test_prose_is_a_paragraph_of_its_own():
    prose = "The kettle is descaled on Fridays. " * 10
    document = parse({"id": 1, "text": prose, "after": 2})
    kinds = [block.kind for block in document.blocks]
    assert kinds == [BlockKind.LIST_ITEM, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM]
    assert f"text: {prose.strip()}" in document.text


def test_short_lists_are_one_line_and_long_ones_lose_nothing():
    names = [f"name{number}" for number in range(500)]
    document = parse({"tags": ["red", "blue"], "names": names})
    assert "tags: red, blue" in document.text
    assert all(name in document.text.split() for name in names)


def test_numbers_stay_as_they_are_written_however_long():
    digits = b"9" * 100_000
    assert digits.decode() in parse(b'{"n": ' + digits + b"}").text
    assert "1.10" in parse(b'{"price": 1.10, "big": 1e400, "odd": NaN}').text


def test_a_key_that_occurs_twice_keeps_both_values():
    assert parse(b'{"a": "first", "a": "second"}').text == "a: first\na: second"
    assert "second" in parse(b'[{"a": "first", "a": "second"}, {"a": "third"}]').text


@pytest.mark.parametrize("data", [b"{}", b"[]", b'""', b"null", b'{"a": null, "b": [[]]}'])
def test_values_without_words_are_no_text(data):
    assert parse(data).text == ""


def test_lines_of_json_are_records_of_one_table():
    document = parse(b'{"a": 1, "b": "x"}\n\n{"a": 2, "b": "y"}\n', JSON_LINES)
    assert document.text == "a | b\n1 | x\n2 | y"
    assert parse(b'{"a": 1}\n{"a": 2}\n').text == "a\n1\n2"


def test_a_line_that_is_cut_off_is_kept_as_text_and_told_of():
    document = parse(b'{"a": "whole"}\n{"a": "bro', JSON_LINES)
    assert "whole" in document.text
    assert '{"a": "bro' in document.text
    assert document.losses == ("1 lines are no JSON, and kept as text",)


@pytest.mark.parametrize("data", [b'{"a": "bro', b"[1, 2,,]", b"no json\nat all", b"{'a': 1}"])
def test_what_is_no_json_is_corrupt(data):
    with pytest.raises(Corrupt) as caught:
        parse(data)
    assert "bro" not in caught.value.detail


def test_depth_ends_in_an_answer_and_loses_no_words():
    with pytest.raises(Corrupt, match="too deep"):
        parse(b"[" * 100_000 + b"]" * 100_000)
    value: object = "bottom"
    for level in range(200):
        value = {f"k{level}": value} if level % 2 else [value]
    text = parse(value).text
    assert "bottom" in text
    assert all(f"k{level}" in text for level in range(1, 200, 2))


def test_costs_grow_with_the_content():
    wide = b"[" + b",".join(b'{"a": {"b": %d}, "c": [1, 2]}' % n for n in range(30_000)) + b"]"
    started = time.monotonic()
    parse(wide)
    parse(b'{"a": "' + b"x" * 5_000_000 + b'"}')
    assert time.monotonic() - started < 8
