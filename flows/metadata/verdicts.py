"""What came of a run's checks, as its report and `headwater checks show` tell it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.engine import Connection

from checks.contract import SUITE, SUITE_VERSION
from index.catalog import validations as validation_rows
from index.catalog.measures import measures_of
from index.catalog.validations import Validation
from index.records import iso


def verdicts_of_run(connection: Connection, run_id: str) -> dict[str, Any]:
    """In all: chunks, the rules that they break, and the numbers of the whole run."""
    totals = validation_rows.total(connection, run_id)
    noted = validation_rows.validations_of(connection, run_id)
    return {
        "suite": SUITE,
        "suite_version": totals.suite_version or SUITE_VERSION,
        "documents": totals.n_documents,
        "chunks": totals.n_chunks,
        "invalid": totals.n_invalid,
        "dropped": totals.n_dropped,
        "warned": totals.n_warned,
        "resolved": dict(sorted(validation_rows.count_origins(connection, run_id).items())),
        "rules": _by_rule(noted),
        "run": [asdict(measure) for measure in measures_of(connection, run_id)],
    }


def verdicts_on_documents(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """The documents of a run of which something is to be told, with the ids of failing chunks."""
    return [
        {"uri": one.uri, **as_json(one)}
        for one in validation_rows.validations_of(connection, run_id)
    ]


def as_json(validation: Validation) -> dict[str, Any]:
    """The verdict on one version's chunks."""
    return {
        "suite": SUITE,
        "suite_version": validation.suite_version,
        "checked_at": iso(validation.checked_at),
        "chunks": validation.n_chunks,
        "invalid": validation.n_invalid,
        "dropped": validation.n_dropped,
        "warned": validation.n_warned,
        "rules": [asdict(broken) for broken in validation.failures],
    }


def _by_rule(validations: Sequence[Validation]) -> list[dict[str, Any]]:
    n_chunks: Counter[tuple[str, str, str]] = Counter()
    n_documents: Counter[tuple[str, str, str]] = Counter()
    for broken in (one for validation in validations for one in validation.failures):
        key = (broken.severity, broken.field, broken.rule)
        n_chunks[key] += broken.n
        n_documents[key] += 1
    return [
        {
            "severity": severity,
            "field": field,
            "rule": rule,
            "chunks": n_chunks[severity, field, rule],
            "documents": n_documents[severity, field, rule],
        }
        for severity, field, rule in sorted(n_chunks)
    ]
