"""The metadata contract."""

import pytest

from checks.contract import Contract, ContractBroken, ContractRow
from parsers.reasons import Reason

GOOD = {
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


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract(window=256, required=("owner",))


def row(text: str = "words", span: str | None = None, **changes: object) -> ContractRow:
    metadata = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return ContractRow(metadata, text, text if span is None else span)  # type: ignore[arg-type]


def test_a_chunk_that_keeps_the_contract_passes(contract):
    assert contract.validate([row()]) == []


def test_what_has_no_pages_needs_none(contract):
    assert contract.validate([row(page_first=None, page_last=None)]) == []


def test_a_source_that_does_not_say_when_is_no_violation(contract):
    assert contract.validate([row(source_modified_at=None)]) == []


OPTIONAL = {"page_first", "page_last", "source_modified_at"}


@pytest.mark.parametrize("field", sorted(set(GOOD) - OPTIONAL))
def test_a_missing_field_is_named(contract, field):
    rows = [row(), row(**({"chunk_id": "5" * 32} | {field: None}))]
    missing = [v for v in contract.validate(rows) if v.code is Reason.METADATA_MISSING]
    assert [(violation.row, violation.field) for violation in missing] == [(1, field)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chunk_id", "short"),
        ("version", "g" * 64),
        ("media_type", "markdown"),
        ("language", "english"),
        ("ordinal", -1),
        ("page_first", 0),
        ("page_last", 0),
        ("char_start", -1),
        ("char_start", 5),
        ("char_end", 0),
        ("n_tokens", 0),
        ("n_tokens", 257),
        ("indexed_at", "yesterday"),
        ("source_modified_at", "2026-01-01"),
        ("owner", "  "),
    ],
)
def test_a_wrong_value_is_named(contract, field, value):
    violations = contract.validate([row(**{field: value})])
    assert violations
    assert {violation.code for violation in violations} == {Reason.METADATA_INVALID}
    assert {violation.field for violation in violations} <= {field, "char_end", "page_last"}


def test_two_chunks_with_one_id_are_both_named(contract):
    assert {violation.row for violation in contract.validate([row(), row()])} == {0, 1}


def test_blank_text_is_a_violation(contract):
    assert [violation.field for violation in contract.validate([row(text=" \n")])] == ["text"]


def test_a_span_that_is_not_the_text_is_a_violation(contract):
    assert contract.validate([row(text="words", span="sword")])


def test_no_rows_are_no_success(contract):
    with pytest.raises(ContractBroken, match="no rows"):
        contract.validate([])
