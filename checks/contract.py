"""The metadata contract of chunks, as a Great Expectations suite, one expectation per promise.

Importing Great Expectations takes seconds: it is imported when there is something to validate.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from index.importing import IMPORTING
from parsers.reasons import Reason

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationValidationResult, ValidationDefinition

SUITE: Final = "chunk_metadata"
SUITE_VERSION: Final = "1"

_REQUIRED: Final = (
    "chunk_id",
    "document_id",
    "version",
    "source",
    "uri",
    "title",
    "media_type",
    "language",
    "ordinal",
    "char_start",
    "char_end",
    "heading_path",
    "n_tokens",
    "parser",
    "parser_version",
    "generation",
    "run_id",
    "indexed_at",
)
_OPTIONAL: Final = ("page_first", "page_last", "source_modified_at")
_TIME: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
_PATTERNS: Final = {
    "chunk_id": r"^[0-9a-f]{32}$",
    "document_id": r"^[0-9a-f]{32}$",
    "version": r"^[0-9a-f]{64}$",
    "source": r"\S",
    "uri": r"\S",
    "media_type": r"^[\w.+-]+/[\w.+-]+$",
    "language": r"^(?:[a-z]{2}|und)$",
    "parser": r"\S",
    "parser_version": r"\S",
    "generation": r"^[0-9a-f]{16}$",
    "run_id": r"^[0-9a-f]{32}$",
    "indexed_at": _TIME,
    "source_modified_at": _TIME,
    "text": r"\S",
}
_MIN_PAGE: Final = 1


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A chunk as it is about to be stored, and the stretch of its version's text that it names."""

    metadata: Mapping[str, str | int | float | bool]
    text: str
    span_text: str
    """`version_text[char_start:char_end]`."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that a chunk breaks."""

    row: int
    """0-based position among the rows that were validated."""
    field: str
    rule: str
    """Great Expectations' name of the expectation."""

    @property
    def code(self) -> Reason:
        missing = self.rule == "expect_column_values_to_not_be_null"
        return Reason.METADATA_MISSING if missing else Reason.METADATA_INVALID


class ContractBroken(Exception):
    """The suite itself failed to run: a defect of ours, not of a document."""


class Contract:
    """The suite for the chunks of one source. Safe to use from threads: they take turns."""

    def __init__(self, *, window: int, required: Sequence[str] = ()) -> None:
        """Nothing is imported yet.

        Args:
            window: The number of tokens that the embedding model reads.
            required: Metadata fields that the source demands besides the contract's own.
        """
        self._window = window
        self._required = tuple(required)

    def load(self) -> None:
        """Import Great Expectations and build the suite now."""
        with _taking_turns, IMPORTING:
            _built(self._window, self._required)

    def validate(self, rows: Sequence[ContractRow]) -> list[Violation]:
        """Every promise that a row breaks.

        Raises:
            ContractBroken: An expectation could not be evaluated, or there are no rows.
        """
        self.load()
        frame = self._frame(rows)
        with _taking_turns:
            outcome = _built(self._window, self._required).run(
                batch_parameters={"dataframe": frame},
                result_format={"result_format": "COMPLETE"},
            )
        return [violation for result in outcome.results for violation in _violations(result)]

    def _frame(self, rows: Sequence[ContractRow]) -> "pd.DataFrame":
        import pandas as pd

        names = (*_REQUIRED, *_OPTIONAL, *self._required)
        columns: dict[str, list[Any]] = {
            name: [row.metadata.get(name) for row in rows] for name in names
        }
        columns["text"] = [row.text for row in rows]
        columns["span_text"] = [row.span_text for row in rows]
        return pd.DataFrame({name: pd.Series(v, dtype=object) for name, v in columns.items()})


_taking_turns: Final = threading.Lock()


@cache
def _built(window: int, required: tuple[str, ...]) -> "ValidationDefinition":
    """The suite, ready to run. Built once: that takes a third of a second."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("chunks").add_dataframe_asset("chunks")
    suite = gx.ExpectationSuite(name=SUITE, expectations=_expectations(window, required))
    return context.validation_definitions.add(
        gx.ValidationDefinition(
            name=SUITE,
            data=asset.add_batch_definition_whole_dataframe("all"),
            suite=context.suites.add(suite),
        )
    )


def _expectations(window: int, required: Sequence[str]) -> list[Any]:
    import great_expectations.expectations as gxe

    present = [gxe.ExpectColumnValuesToNotBeNull(column=c) for c in (*_REQUIRED, *required)]
    filled = [gxe.ExpectColumnValuesToMatchRegex(column=c, regex=r"\S") for c in required]
    formed = [
        gxe.ExpectColumnValuesToMatchRegex(column=column, regex=pattern)
        for column, pattern in _PATTERNS.items()
    ]
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        *present,
        *filled,
        *formed,
        gxe.ExpectColumnValuesToBeUnique(column="chunk_id"),
        gxe.ExpectColumnValuesToBeBetween(column="ordinal", min_value=0),
        gxe.ExpectColumnValuesToBeBetween(column="char_start", min_value=0),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="char_end", column_B="char_start"),
        gxe.ExpectColumnValuesToBeBetween(column="page_first", min_value=_MIN_PAGE),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="page_last",
            column_B="page_first",
            or_equal=True,
            ignore_row_if="both_values_are_missing",
        ),
        gxe.ExpectColumnValuesToBeBetween(column="n_tokens", min_value=1, max_value=window),
        gxe.ExpectColumnPairValuesToBeEqual(column_A="text", column_B="span_text"),
    ]


def _violations(result: "ExpectationValidationResult") -> list[Violation]:
    configuration = result.expectation_config
    if configuration is None or result.exception_info.get("raised_exception"):
        raise ContractBroken(f"{configuration.type if configuration else 'an expectation'} failed")
    if result.success:
        return []
    arguments = configuration.kwargs
    field = str(arguments.get("column") or arguments.get("column_A") or "")
    if not field:
        raise ContractBroken("there are no rows")
    rows = result.result["unexpected_index_list"]
    return [Violation(int(row), field, configuration.type) for row in rows]
