"""The metadata contract."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contract import Contract, ContractBroken, Violation
from checks.promises import promises
from checks.rows import OPTIONAL, TYPES, ContractRow
from checks.rules import FieldRule, Severity
from parsers.reasons import Reason

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "chunk_id": "0" * 32,
    "document_id": "1" * 32,
    "version": "2" * 64,
    "source": "handbook",
    "uri": "leave.md",
    "title": "",
    "media_type": "text/markdown",
    "language": "en",
    "ordinal": 0,
    "page_first": 1,
    "page_last": 2,
    "char_start": 0,
    "char_end": 5,
    "heading_path": "",
    "n_tokens": 3,
    "parser": "markdown",
    "parser_version": "1",
    "generation": "3" * 16,
    "run_id": "4" * 32,
    "source_modified_at": "2026-01-01T00:00:00.000Z",
    "indexed_at": "2026-01-01T00:00:00.000Z",
    "owner": "HR",
}
RULES = (
    FieldRule("owner", required=True, allowed=("HR", "IT", "  ")),
    FieldRule("effective_date", pattern=r"^\d{4}-\d\d-\d\d$"),
    FieldRule("region", required=True, severity=Severity.WARNING),
)
WINDOW = 256
LONG = "x" * 5_000


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract(window=WINDOW, rules=RULES)


def row(
    text: str = "words", span: str | None = None, n_pages: int | None = 2, **changes: object
) -> ContractRow:
    given = GOOD | {"region": "EU"} | changes
    metadata = {name: value for name, value in given.items() if value is not None}
    return ContractRow(metadata, text, text if span is None else span, n_pages)  # type: ignore[arg-type]


def told(violations: list[Violation]) -> set[tuple[str, str, str]]:
    return {(one.field, one.rule.removeprefix("expect_"), one.severity) for one in violations}


def test_a_chunk_that_keeps_the_contract_passes(contract):
    assert contract.validate([row()], NOW) == []


def test_what_has_no_pages_needs_none(contract):
    assert contract.validate([row(page_first=None, page_last=None, n_pages=None)], NOW) == []


def test_a_source_that_does_not_say_when_is_no_violation(contract):
    assert contract.validate([row(source_modified_at=None)], NOW) == []


def test_every_missing_field_is_named(contract):
    fields = sorted({*TYPES, "owner"} - set(OPTIONAL))
    rows = [row(**({"chunk_id": f"{n:032x}"} | {field: None})) for n, field in enumerate(fields)]
    missing = [v for v in contract.validate(rows, NOW) if v.code is Reason.METADATA_MISSING]
    assert [fields[violation.row] for violation in missing] == [v.field for v in missing]
    assert {violation.field for violation in missing} == set(fields)


BREAKING = [
    ("chunk_id", {"chunk_id": "short"}, "column_values_to_match_regex"),
    ("chunk_id", {"chunk_id": "0" * 32 + "\n"}, "column_values_to_match_regex"),
    ("document_id", {"document_id": "z" * 32}, "column_values_to_match_regex"),
    ("version", {"version": "g" * 64}, "column_values_to_match_regex"),
    ("source", {"source": " "}, "column_values_to_match_regex"),
    ("uri", {"uri": ""}, "column_values_to_match_regex"),
    ("media_type", {"media_type": "markdown"}, "column_values_to_match_regex"),
    ("language", {"language": "english"}, "column_values_to_match_regex"),
    ("parser", {"parser": ""}, "column_values_to_match_regex"),
    ("parser_version", {"parser_version": " "}, "column_values_to_match_regex"),
    ("generation", {"generation": "new"}, "column_values_to_match_regex"),
    ("run_id", {"run_id": "last"}, "column_values_to_match_regex"),
    ("indexed_at", {"indexed_at": "yesterday"}, "column_values_to_match_regex"),
    ("source_modified_at", {"source_modified_at": "2026-01-01"}, "column_values_to_match_regex"),
    ("text", {"text": " \n  \n"}, "column_values_to_match_regex"),
    ("title", {"title": 5}, "column_values_to_be_null"),
    ("ordinal", {"ordinal": "0"}, "column_values_to_be_null"),
    ("n_tokens", {"n_tokens": True}, "column_values_to_be_null"),
    ("char_end", {"char_end": 5.0}, "column_values_to_be_null"),
    ("page_last", {"page_last": "two"}, "column_values_to_be_null"),
    ("owner", {"owner": "ACME"}, "column_values_to_be_in_set"),
    ("owner", {"owner": "  "}, "column_values_to_match_regex"),
    ("effective_date", {"effective_date": "soon"}, "column_values_to_match_regex"),
    ("ordinal", {"ordinal": -1}, "column_values_to_be_between"),
    ("char_start", {"char_start": -1, "char_end": 4}, "column_values_to_be_between"),
    (
        "char_end",
        {"char_start": 5, "char_end": 5},
        "column_pair_values_a_to_be_greater_than_b",
    ),
    ("char_end", {"char_end": 6}, "column_pair_values_to_be_equal"),
    ("text", {"span": "sword"}, "column_pair_values_to_be_equal"),
    ("page_first", {"page_first": 0}, "column_values_to_be_between"),
    ("page_last", {"page_first": 2, "page_last": 1}, "column_pair_values_a_to_be_greater_than_b"),
    ("page_last", {"page_last": 3}, "column_pair_values_a_to_be_greater_than_b"),
    ("page_last", {"page_last": None}, "column_pair_values_a_to_be_greater_than_b"),
    ("n_tokens", {"n_tokens": 0}, "column_values_to_be_between"),
    ("n_tokens", {"n_tokens": WINDOW + 1}, "column_values_to_be_between"),
    ("indexed_at", {"indexed_at": "2026-06-01T12:06:00.000Z"}, "column_values_to_be_between"),
    ("metadata", {f"f{n}": "x" for n in range(10)}, "column_values_to_be_between"),
    ("n" * 37, {"n" * 37: "x"}, "column_values_to_be_null"),
]
WARNING = [
    (
        "source_modified_at",
        {"source_modified_at": "2026-06-01T12:06:00.000Z"},
        "column_values_to_be_between",
    ),
    ("heading_path", {"heading_path": LONG}, "column_values_to_be_null"),
    ("region", {"region": None}, "column_values_to_not_be_null"),
    ("region", {"region": " "}, "column_values_to_match_regex"),
]


@pytest.fixture(scope="module")
def judged(contract: Contract) -> list[set[tuple[str, str, str]]]:
    """What each of the rows above breaks, with a good row before and after it."""
    rows = [row(chunk_id="5" * 32)]
    for number, (_, changes, _) in enumerate([*BREAKING, *WARNING]):
        rows.append(row(**({"chunk_id": f"{number:032x}"} | changes)))
        rows.append(row(chunk_id=f"{number + 1_000:032x}"))
    violations = contract.validate(rows, NOW)
    assert not [one for one in violations if one.row % 2 == 0]
    return [told([v for v in violations if v.row == n]) for n in range(1, len(rows), 2)]


@pytest.mark.parametrize("number", range(len(BREAKING) + len(WARNING)))
def test_each_promise_is_broken_by_a_row_that_breaks_no_other(judged, number):
    field, _, rule = [*BREAKING, *WARNING][number]
    severity = "error" if number < len(BREAKING) else "warning"
    assert judged[number] == {(field, rule, severity)}


def test_every_promise_has_a_row_above_that_breaks_it(contract):
    """Presence, unique ids and the number of rows have tests of their own."""
    elsewhere = {"ExpectTableRowCountToBeBetween", "ExpectColumnValuesToBeUnique"}
    kinds = {one.expectation for one in promises(WINDOW, RULES)} - elsewhere
    seen = {rule for _, _, rule in [*BREAKING, *WARNING]}
    assert {_snake(kind).removeprefix("expect_") for kind in kinds} == seen


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def test_clocks_may_differ_a_little(contract):
    ahead = "2026-06-01T12:04:00.000Z"
    assert contract.validate([row(indexed_at=ahead, source_modified_at=ahead)], NOW) == []


def test_two_chunks_with_one_id_are_both_named(contract):
    assert {violation.row for violation in contract.validate([row(), row()], NOW)} == {0, 1}


def test_no_rows_are_no_success(contract):
    with pytest.raises(ContractBroken, match="no rows"):
        contract.validate([], NOW)


@settings(max_examples=8)
@given(st.lists(st.sampled_from([None, *range(len(BREAKING))]), min_size=1, max_size=12))
def test_among_any_rows_exactly_the_bad_ones_are_named(picked):
    rows, bad = [], set()
    for number, which in enumerate(picked):
        changes = {} if which is None else dict(BREAKING[which][1])
        rows.append(row(**({"chunk_id": f"{number:032x}"} | changes)))
        bad |= set() if which is None else {number}
    violations = Contract(window=WINDOW, rules=RULES).validate(rows, NOW)
    assert {one.row for one in violations if one.severity is Severity.ERROR} == bad


def test_data_docs_hold_counts_and_no_values(contract, tmp_path: Path):
    page = contract.write_docs([row(), row(owner="TOPSECRET", text="CONFIDENTIAL")], NOW, tmp_path)
    pages = [file.read_text("utf-8") for file in tmp_path.rglob("*.html")]
    assert page.is_file()
    assert any("owner" in text for text in pages)
    assert not any(value in text for text in pages for value in ("TOPSECRET", "CONFIDENTIAL"))
