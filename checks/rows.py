"""Chunks as the rows that the contract is held against, with what is derived to judge them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

TYPES: Final[Mapping[str, type]] = {
    "chunk_id": str,
    "document_id": str,
    "version": str,
    "source": str,
    "uri": str,
    "title": str,
    "media_type": str,
    "language": str,
    "ordinal": int,
    "char_start": int,
    "char_end": int,
    "heading_path": str,
    "n_tokens": int,
    "parser": str,
    "parser_version": str,
    "generation": str,
    "run_id": str,
    "indexed_at": str,
    "page_first": int,
    "page_last": int,
    "source_modified_at": str,
}
"""The contract's own fields; a source's are all text."""
OPTIONAL: Final = ("page_first", "page_last", "source_modified_at")
REQUIRED: Final = tuple(name for name in TYPES if name not in OPTIONAL)

MAX_KEYS: Final = 32
MAX_KEY_BYTES: Final = 36
MAX_VALUE_BYTES: Final = 4_096
"""The quotas of Chroma Cloud, the narrowest of Chroma's stores: what keeps them fits into any."""

# Columns beside the fields themselves. What stands in Data Docs for a promise is their name.
TEXT: Final = "text"
SPAN_TEXT: Final = "span_text"
WRONG_TYPE: Final = "field of a wrong type"
LONG_VALUE: Final = "field with a value too long for the store"
LONG_KEY: Final = "field with a name too long for the store"
N_KEYS: Final = "number of fields"
SPAN_CHARACTERS: Final = "characters from char_start to char_end"
TEXT_CHARACTERS: Final = "characters of text"
INDEXED_AHEAD: Final = "seconds that indexed_at is ahead"
MODIFIED_AHEAD: Final = "seconds that source_modified_at is ahead"
N_PAGES: Final = "pages of the document"

FIELD_OF: Final[Mapping[str, str]] = {
    N_KEYS: "metadata",
    SPAN_CHARACTERS: "char_end",
    INDEXED_AHEAD: "indexed_at",
    MODIFIED_AHEAD: "source_modified_at",
    N_PAGES: "page_last",
}
"""The field that is at fault where a derived column breaks a promise."""
_DERIVED: Final = (
    TEXT,
    SPAN_TEXT,
    WRONG_TYPE,
    LONG_VALUE,
    LONG_KEY,
    N_KEYS,
    SPAN_CHARACTERS,
    TEXT_CHARACTERS,
    INDEXED_AHEAD,
    MODIFIED_AHEAD,
    N_PAGES,
)
NAMING: Final = (WRONG_TYPE, LONG_VALUE, LONG_KEY)
"""Columns that are empty, or hold the name of the field that is at fault."""


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A chunk as it is about to be stored, and the stretch of its version's text that it names."""

    metadata: Mapping[str, str | int | float | bool]
    text: str
    span_text: str
    """`version_text[char_start:char_end]`."""
    n_pages: int | None = None
    """Of the version; None where the format has no pages."""


def columns(
    rows: Sequence[ContractRow], extra: Sequence[str], now: datetime
) -> dict[str, list[Any]]:
    """All that the contract looks at, by column.

    Args:
        rows: Chunks.
        extra: Fields that the source has rules for, besides the contract's own.
        now: What no time may be far ahead of.
    """
    records = [_record(row, extra, now) for row in rows]
    names = (*TYPES, *extra, *_DERIVED)
    return {name: [record[name] for record in records] for name in names}


def _record(row: ContractRow, extra: Sequence[str], now: datetime) -> dict[str, Any]:
    given = row.metadata
    wrong = _first(given, lambda name, value: type(value) is not TYPES.get(name, str))
    judged: dict[str, Any] = {**given, **(_passable(row) if wrong else {})}
    is_span = judged.get("char_end", 0) > judged.get("char_start", 0)
    return {
        **{name: judged.get(name) for name in (*TYPES, *extra)},
        TEXT: row.text,
        SPAN_TEXT: row.span_text,
        WRONG_TYPE: wrong,
        LONG_VALUE: _first(given, lambda _, value: _n_bytes(value) > MAX_VALUE_BYTES),
        LONG_KEY: _first(given, lambda name, _: _n_bytes(name) > MAX_KEY_BYTES),
        N_KEYS: len(given),
        SPAN_CHARACTERS: judged["char_end"] - judged.get("char_start", 0) if is_span else None,
        TEXT_CHARACTERS: len(row.text) if is_span else None,
        INDEXED_AHEAD: _seconds_ahead(given.get("indexed_at"), now),
        MODIFIED_AHEAD: _seconds_ahead(given.get("source_modified_at"), now),
        N_PAGES: row.n_pages,
    }


def _passable(row: ContractRow) -> dict[str, int]:
    """Numbers that break no promise: a row with a wrong type breaks that one, and can be compared
    with nothing.
    """
    numbers = {name for name, kind in TYPES.items() if kind is int}
    passable = dict.fromkeys(numbers, 1) | {"char_start": 0, "char_end": len(row.text)}
    return {name: value for name, value in passable.items() if name in row.metadata}


def _first(given: Mapping[str, Any], fails: Any) -> str | None:
    return next((name for name, value in given.items() if fails(name, value)), None)


def _n_bytes(value: object) -> int:
    return len(str(value).encode("utf-8", "surrogatepass"))


def _seconds_ahead(moment: object, now: datetime) -> float | None:
    """None where there is no such moment; that it should be one is another promise."""
    try:
        given = datetime.fromisoformat(str(moment))
    except ValueError:
        return None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp() - now.timestamp()
