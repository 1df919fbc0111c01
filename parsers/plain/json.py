"""JSON and JSON lines as text that a search finds words in: each value with the path to it.

A list of plain records is a table; any other value is a line `path.to.key: value`. Numbers stay as
they are written. A key that occurs twice in an object keeps both its values.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument, TextBuilder
from parsers.errors import Corrupt
from parsers.media_type import JSON_LINES
from parsers.text_encoding import decode

NAME: Final = "json"
VERSION: Final = "1"

_MAX_DEPTH: Final = 50
"""Of what lies deeper, only the words are kept."""
_PROSE_CHARACTERS: Final = 200
_MAX_COLUMNS: Final = 30
_MIN_ROWS: Final = 2
_MIN_FILLED: Final = 0.5
"""Of a table's cells."""
_TITLE_KEYS: Final = ("title", "name", "subject")
_MAX_TITLE_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Fields:
    """An object: its keys and values in their order."""

    pairs: list[tuple[str, "Value"]]


Value: TypeAlias = "str | bool | list[Value] | Fields | None"
"""Numbers are strings: they are only to be read, however long."""

_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=Fields, parse_int=str, parse_float=str, parse_constant=str
)


def parse(task: ParseTask) -> ParsedDocument:
    text = decode(task.data)[0]
    builder = TextBuilder()
    if task.media_type == JSON_LINES:
        value, unreadable = _lines(text)
    else:
        value, unreadable = _whole(text)
    _write(builder, "", value, 0)
    for line in unreadable:
        builder.add(BlockKind.CODE, line)
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=_title(value),
        losses=(f"{len(unreadable)} lines are no JSON, and kept as text",) if unreadable else (),
    )


def _whole(text: str) -> tuple[Value, list[str]]:
    """One value; several, one a line, are often kept under the name of JSON as well."""
    try:
        return _value(text), []
    except ValueError as error:
        value, unreadable = _lines(text) if "\n" in text.strip() else (None, [text])
        if unreadable:
            raise Corrupt(_place(error)) from error
        return value, []


def _lines(text: str) -> tuple[Value, list[str]]:
    """The values of the lines, and the lines that are none."""
    values: list[Value] = []
    unreadable = []
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            values.append(_value(line))
        except ValueError:
            unreadable.append(line)
    if unreadable and not values:
        raise Corrupt(f"none of {len(unreadable)} lines is JSON")
    return values, unreadable


def _value(text: str) -> Value:
    try:
        return cast(Value, _DECODER.decode(text.strip("\ufeff \t\r\n\x00")))
    except RecursionError as error:
        raise Corrupt("values lie too deep in each other") from error


def _place(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON any more at line {error.lineno}, column {error.colno}"
    return f"json: {type(error).__name__}"


def _title(value: Value) -> str:
    if not isinstance(value, Fields):
        return ""
    for wanted in _TITLE_KEYS:
        for key, found in value.pairs:
            if key.lower() == wanted and isinstance(found, str):
                return " ".join(found.split())[:_MAX_TITLE_CHARACTERS]
    return ""


def _write(builder: TextBuilder, path: str, value: Value, depth: int) -> None:
    if isinstance(value, Fields):
        _write_fields(builder, path, value, depth)
    elif not isinstance(value, list):
        _write_lines(builder, [(path, value)])
    elif depth >= _MAX_DEPTH:
        _write_lines(builder, [(path, _words(value))])
    elif columns := _columns(value):
        _write_table(builder, path, columns, cast(Sequence[Fields], value))
    elif all(map(_is_scalar, value)):
        _write_list(builder, path, value)
    else:
        for number, item in enumerate(value):
            _write(builder, f"{path}[{number}]" if path else "", item, depth + 1)


def _write_fields(builder: TextBuilder, path: str, fields: Fields, depth: int) -> None:
    """Neighbouring plain values and short lists make one block."""
    plain: list[tuple[str, Value]] = []
    for key, value in fields.pairs:
        inner = f"{path}.{key}" if path else key
        if _is_scalar(value) or depth >= _MAX_DEPTH:
            plain.append((inner, value))
        elif joined := _joined(value):
            plain.append((inner, joined))
        else:
            _write_lines(builder, plain)
            plain = []
            _write(builder, inner, value, depth + 1)
    _write_lines(builder, plain)


def _write_lines(builder: TextBuilder, values: Sequence[tuple[str, Value]]) -> None:
    """Short values as lines of one block; prose as paragraphs, so that its sentences count."""
    short: list[str] = []
    for path, value in values:
        words = _words(value)
        if not words.strip():
            continue
        line = f"{path}: {words}" if path else words
        if len(words) > _PROSE_CHARACTERS or "\n" in words:
            builder.add(BlockKind.LIST_ITEM, "\n".join(short))
            short = []
            builder.add(BlockKind.PARAGRAPH, line)
        else:
            short.append(line)
    builder.add(BlockKind.LIST_ITEM, "\n".join(short))


def _write_list(builder: TextBuilder, path: str, values: list[Value]) -> None:
    words = [_words(value) for value in values]
    if not any(words):
        return
    if joined := _joined(values):
        _write_lines(builder, [(path, joined)])
    elif max(map(len, words)) > _PROSE_CHARACTERS:
        _write_lines(builder, [(path, value) for value in values])
    else:
        builder.add(BlockKind.LIST_ITEM, "\n".join([f"{path}:", *words] if path else words))


def _joined(value: Value) -> str:
    """A short list of plain values as words; empty if it is none."""
    if not isinstance(value, list) or not all(map(_is_scalar, value)):
        return ""
    joined = ", ".join(word for word in map(_words, value) if word)
    return joined if len(joined) <= _PROSE_CHARACTERS else ""


def _columns(values: Sequence[Value]) -> list[str]:
    """The keys of records that make a table; empty if these do not."""
    if len(values) < _MIN_ROWS or not all(map(_is_record, values)):
        return []
    rows = cast(Sequence[Fields], values)
    columns = list(dict.fromkeys(key for row in rows for key, _ in row.pairs))
    n_filled = sum(len(row.pairs) for row in rows)
    if len(columns) > _MAX_COLUMNS or n_filled < _MIN_FILLED * len(columns) * len(rows):
        return []
    return columns


def _is_record(value: Value) -> bool:
    """Whether it is an object of short values, with no key twice."""
    if not isinstance(value, Fields) or not value.pairs:
        return False
    has_short_values = all(
        _is_scalar(cell) and len(_words(cell)) <= _PROSE_CHARACTERS for _, cell in value.pairs
    )
    return has_short_values and len(dict(value.pairs)) == len(value.pairs)


def _write_table(
    builder: TextBuilder, path: str, columns: Sequence[str], rows: Sequence[Fields]
) -> None:
    header = _row(columns)
    lines = [header]
    for row in rows:
        cells = dict(row.pairs)
        lines.append(_row([_words(cells.get(key)) for key in columns]))
    if path:
        builder.add(BlockKind.PARAGRAPH, f"{path}:")
    builder.add(BlockKind.TABLE, "\n".join(lines), header=header)


def _row(cells: Sequence[str]) -> str:
    return " | ".join(" ".join(cell.split()) for cell in cells)


def _is_scalar(value: Value) -> bool:
    return not isinstance(value, list | Fields)


def _words(value: Value) -> str:
    if isinstance(value, list | Fields):
        return " ".join(_all_words(value))
    if isinstance(value, bool):
        return str(value).lower()
    return value or ""


def _all_words(value: Value) -> Iterator[str]:
    """Every key and value in it, in order, however deep."""
    waiting: list[Value] = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Fields):
            waiting.extend(part for pair in reversed(found.pairs) for part in reversed(pair))
        elif isinstance(found, list):
            waiting.extend(reversed(found))
        else:
            yield _words(found)
