"""The promises of the metadata contract, as data: which expectation, of which columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from checks.rows import (
    INDEXED_AHEAD,
    LONG_KEY,
    LONG_VALUE,
    MAX_KEYS,
    MODIFIED_AHEAD,
    N_KEYS,
    N_PAGES,
    REQUIRED,
    SPAN_CHARACTERS,
    TEXT_CHARACTERS,
    WRONG_TYPE,
)
from checks.rules import FieldRule, Severity

_TIME: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z"
_PATTERNS: Final = {
    # Shorter than the 128 bytes that Chroma allows an id.
    "chunk_id": r"^[0-9a-f]{32}\Z",
    "document_id": r"^[0-9a-f]{32}\Z",
    "version": r"^[0-9a-f]{64}\Z",
    "source": r"\S",
    "uri": r"\S",
    "media_type": r"^[\w.+-]+/[\w.+-]+\Z",
    "language": r"^(?:[a-z]{2}|und)\Z",
    "parser": r"\S",
    "parser_version": r"\S",
    "generation": r"^[0-9a-f]{16}\Z",
    "run_id": r"^[0-9a-f]{32}\Z",
    "indexed_at": _TIME,
    "source_modified_at": _TIME,
    "text": r"\S",
}
_NOT_BLANK: Final = r"\S"
_MIN_PAGE: Final = 1
_CLOCK_SKEW_S: Final = 300
"""Clocks of two machines may differ by so much."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One expectation of the suite."""

    expectation: str
    """Great Expectations' class."""
    arguments: Mapping[str, Any]
    severity: Severity = Severity.ERROR


def promises(window: int, rules: Sequence[FieldRule]) -> list[Promise]:
    """All that the chunks of a source have to keep.

    Args:
        window: The number of tokens that the embedding model reads.
        rules: What the source demands besides the contract.
    """
    return [
        Promise("ExpectTableRowCountToBeBetween", {"min_value": 1}),
        *(_present(column) for column in REQUIRED),
        *(_matching(column, pattern) for column, pattern in _PATTERNS.items()),
        Promise("ExpectColumnValuesToBeUnique", {"column": "chunk_id"}),
        _empty(WRONG_TYPE),
        _between(INDEXED_AHEAD, highest=_CLOCK_SKEW_S),
        # A wrong clock at the source makes no text wrong.
        _between(MODIFIED_AHEAD, highest=_CLOCK_SKEW_S, severity=Severity.WARNING),
        *_of_size(window),
        *_of_place(),
        *(promise for rule in rules for promise in _of_source(rule)),
    ]


def _of_size(window: int) -> list[Promise]:
    """What the model reads, and what the vector store takes."""
    return [
        _between("n_tokens", lowest=1, highest=window),
        _between(N_KEYS, highest=MAX_KEYS),
        _empty(LONG_KEY),
        # The store on disk takes longer ones: a document with a long heading can be searched.
        _empty(LONG_VALUE, severity=Severity.WARNING),
    ]


def _of_place() -> list[Promise]:
    """Where a chunk stands in its document."""
    return [
        _between("ordinal", lowest=0),
        _between("char_start", lowest=0),
        _above("char_end", "char_start"),
        _equal("text", "span_text"),
        _equal(SPAN_CHARACTERS, TEXT_CHARACTERS, unless="either_value_is_missing"),
        _between("page_first", lowest=_MIN_PAGE),
        _above("page_last", "page_first", or_equal=True, unless="both_values_are_missing"),
        _above(N_PAGES, "page_last", or_equal=True, unless="either_value_is_missing"),
    ]


def _of_source(rule: FieldRule) -> list[Promise]:
    made = []
    if rule.required and rule.name not in REQUIRED:
        made.append(_present(rule.name, rule.severity))
    if rule.required:
        made.append(_matching(rule.name, _NOT_BLANK, rule.severity))
    if rule.allowed:
        arguments = {"column": rule.name, "value_set": list(rule.allowed)}
        made.append(Promise("ExpectColumnValuesToBeInSet", arguments, rule.severity))
    if rule.pattern:
        made.append(_matching(rule.name, rule.pattern, rule.severity))
    return made


def _present(column: str, severity: Severity = Severity.ERROR) -> Promise:
    return Promise("ExpectColumnValuesToNotBeNull", {"column": column}, severity)


def _empty(column: str, *, severity: Severity = Severity.ERROR) -> Promise:
    return Promise("ExpectColumnValuesToBeNull", {"column": column}, severity)


def _matching(column: str, pattern: str, severity: Severity = Severity.ERROR) -> Promise:
    return Promise("ExpectColumnValuesToMatchRegex", {"column": column, "regex": pattern}, severity)


def _between(
    column: str,
    *,
    lowest: int | None = None,
    highest: int | None = None,
    severity: Severity = Severity.ERROR,
) -> Promise:
    arguments = {"column": column, "min_value": lowest, "max_value": highest}
    return Promise("ExpectColumnValuesToBeBetween", arguments, severity)


def _above(
    larger: str, smaller: str, *, or_equal: bool = False, unless: str = "neither"
) -> Promise:
    arguments: dict[str, Any] = {"column_A": larger, "column_B": smaller, "or_equal": or_equal}
    return Promise(
        "ExpectColumnPairValuesAToBeGreaterThanB", {**arguments, "ignore_row_if": unless}
    )


def _equal(one: str, other: str, *, unless: str = "neither") -> Promise:
    arguments = {"column_A": one, "column_B": other, "ignore_row_if": unless}
    return Promise("ExpectColumnPairValuesToBeEqual", arguments)
