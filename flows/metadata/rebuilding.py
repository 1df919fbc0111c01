"""The contract on chunks that are made anew from stored texts, for another generation."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from checks.contract import Contract
from checks.rules import Severity
from flows.metadata.fields import fields_of
from flows.metadata.validation import rows_of
from flows.settings import Settings
from flows.source_settings import SourceSettings
from index.building import Candidate, Judge
from index.targets import Target


def judge_for(settings: Settings, target: Target) -> Judge:
    """Holds documents against the contract of their source, as it is set now.

    Args:
        settings: With the sources' rules.
        target: The generation that is being built.
    """

    def contract_of(name: str) -> Contract:
        source = settings.source(name) or SourceSettings(name=name, uri="")
        return Contract(window=target.embedder.files.window, rules=fields_of(source).rules)

    def judge(candidates: Sequence[Candidate]) -> list[bool]:
        by_source: dict[str, list[int]] = defaultdict(list)
        for number, candidate in enumerate(candidates):
            if candidate.chunks:
                by_source[candidate.version.provenance.source].append(number)
        invalid: set[int] = set()
        for name, numbers in by_source.items():
            invalid |= _invalid(contract_of(name), candidates, numbers)
        return [number not in invalid for number in range(len(candidates))]

    return judge


def _invalid(
    contract: Contract, candidates: Sequence[Candidate], numbers: Sequence[int]
) -> set[int]:
    """Those of some candidates that have a chunk which may not become searchable."""
    rows, owners = [], []
    for number in numbers:
        one = candidates[number]
        of_one = list(rows_of(one.version.provenance, one.document, one.chunks))
        rows += of_one
        owners += [number] * len(of_one)
    broken = contract.validate(rows, datetime.now(UTC))
    return {owners[one.row] for one in broken if one.severity is Severity.ERROR}
