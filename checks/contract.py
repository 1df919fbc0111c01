"""The metadata contract of chunks, as a Great Expectations suite, one expectation per promise.

Importing Great Expectations takes seconds: it is imported when there is something to validate.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from checks.promises import Promise, promises
from checks.rows import FIELD_OF, NAMING, ContractRow, columns
from checks.rules import FieldRule, Severity
from index.importing import IMPORTING
from parsers.reasons import Reason

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationValidationResult, ValidationDefinition
    from great_expectations.data_context import AbstractDataContext

SUITE: Final = "chunk_metadata"
SUITE_VERSION: Final = "2"

_SEVERITIES: Final = {Severity.ERROR: "critical", Severity.WARNING: "warning"}
"""Great Expectations' words for ours."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that a chunk breaks."""

    row: int
    """0-based position among the rows that were validated."""
    field: str
    rule: str
    """Great Expectations' name of the expectation."""
    severity: Severity = Severity.ERROR

    @property
    def code(self) -> Reason:
        return code_of(self.rule)


def code_of(rule: str) -> Reason:
    """The reason that stands for breaking a rule."""
    missing = rule == "expect_column_values_to_not_be_null"
    return Reason.METADATA_MISSING if missing else Reason.METADATA_INVALID


class ContractBroken(Exception):
    """The suite itself failed to run: a defect of ours, not of a document."""


class Contract:
    """The suite for the chunks of one source. Safe to use from threads: they take turns."""

    def __init__(self, *, window: int, rules: Sequence[FieldRule] = ()) -> None:
        """Nothing is imported yet.

        Args:
            window: The number of tokens that the embedding model reads.
            rules: What the source demands besides.
        """
        self._window = window
        self._rules = tuple(rules)

    def load(self) -> None:
        """Import Great Expectations and build the suite now."""
        with _taking_turns, IMPORTING:
            _built(self._window, self._rules)

    def validate(self, rows: Sequence[ContractRow], now: datetime) -> list[Violation]:
        """Every promise that a row breaks.

        Raises:
            ContractBroken: An expectation could not be evaluated, or there are no rows.
        """
        self.load()
        frame = self._frame(rows, now)
        with _taking_turns:
            definition = _built(self._window, self._rules)
            # Not `ValidationDefinition.run`, which keeps what came of every batch in memory.
            batch = definition.data.get_batch({"dataframe": frame})
            # Which rows are bad takes as long again to ask for, and is asked only if there are any.
            outcome = batch.validate(definition.suite, result_format="BOOLEAN_ONLY")
            if not outcome.success:
                outcome = batch.validate(definition.suite, result_format="COMPLETE")
        return [found for result in outcome.results for found in _violations(result, frame)]

    def write_docs(self, rows: Sequence[ContractRow], now: datetime, folder: Path) -> Path:
        """Validate chunks and write what came of it as Data Docs, without any of their values.

        Args:
            rows: Of which there is at least one.
            now: As of when.
            folder: Where to; what Data Docs of earlier are there is replaced.

        Returns:
            The page to open.
        """
        import great_expectations as gx

        frame = self._frame(rows, now)
        with _taking_turns, IMPORTING:
            context = _context()
            definition = _definition(context, self._window, self._rules)
            _add_site(context, folder)
            checkpoint = gx.Checkpoint(
                name=SUITE,
                validation_definitions=[definition],
                result_format={"result_format": "SUMMARY", "exclude_unexpected_values": True},
            )
            context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame})
            context.build_data_docs()
        return folder / "index.html"

    def _frame(self, rows: Sequence[ContractRow], now: datetime) -> "pd.DataFrame":
        import pandas as pd

        extra = [rule.name for rule in self._rules]
        return pd.DataFrame(
            {name: pd.Series(v, dtype=object) for name, v in columns(rows, extra, now).items()}
        )


_taking_turns: Final = threading.Lock()


@cache
def _built(window: int, rules: tuple[FieldRule, ...]) -> "ValidationDefinition":
    """The suite, ready to run. Built once: that takes a third of a second."""
    return _definition(_context(), window, rules)


def _context() -> "AbstractDataContext":
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _definition(
    context: "AbstractDataContext", window: int, rules: tuple[FieldRule, ...]
) -> "ValidationDefinition":
    import great_expectations as gx

    asset = context.data_sources.add_pandas("chunks").add_dataframe_asset("chunks")
    suite = gx.ExpectationSuite(
        name=SUITE,
        expectations=[_expectation(one) for one in promises(window, rules)],
        meta={"version": SUITE_VERSION},
    )
    return context.validation_definitions.add(
        gx.ValidationDefinition(
            name=SUITE,
            data=asset.add_batch_definition_whole_dataframe("all"),
            suite=context.suites.add(suite),
        )
    )


def _expectation(promise: Promise) -> Any:
    import great_expectations.expectations as gxe

    made = getattr(gxe, promise.expectation)
    return made(**promise.arguments, severity=_SEVERITIES[promise.severity])


def _add_site(context: "AbstractDataContext", folder: Path) -> None:
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
    site = {
        "class_name": "SiteBuilder",
        "store_backend": backend,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "show_how_to_buttons": False,
    }
    for name in list(context.get_site_names()):
        context.delete_data_docs_site(name)
    context.add_data_docs_site(site_name="headwater", site_config=site)  # type: ignore[arg-type]


def _violations(result: "ExpectationValidationResult", frame: "pd.DataFrame") -> list[Violation]:
    configuration = result.expectation_config
    if configuration is None:
        raise ContractBroken("a result without its expectation")
    if result.success:
        return []
    arguments = configuration.kwargs
    column = str(arguments.get("column") or arguments.get("column_A") or "")
    if not column:
        raise ContractBroken("there are no rows")
    if "unexpected_index_list" not in result.result:
        raise ContractBroken(f"{configuration.type} of {column} could not be evaluated")
    severity = Severity.WARNING if configuration.severity == "warning" else Severity.ERROR
    return [
        Violation(int(row), _field(column, int(row), frame), configuration.type, severity)
        for row in result.result["unexpected_index_list"]
    ]


def _field(column: str, row: int, frame: "pd.DataFrame") -> str:
    """The field at fault where a column breaks a promise."""
    if column in NAMING:
        return str(frame.at[row, column])
    return FIELD_OF.get(column, column)
