"""What the metadata contract costs: its library's import, and validating chunks.

    python benchmarks/contract.py [--chunks 10000] [--runs 3]

Prints the seconds of the first use (the import of Great Expectations and building the suite, once
in a process), then for batches of 100, 1,000 and `--chunks` chunks the seconds of validating them:
all good, and with every hundredth bad; the median of the runs. Last, what is imported by a process
that has nothing to validate.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from checks.contract import Contract
from checks.rows import ContractRow
from checks.rules import FieldRule

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MOMENT = "2026-05-01T00:00:00.000Z"
TEXT = "Annual leave accrues with every pay period, and what is not taken is carried over. " * 5


def main() -> None:
    arguments = _arguments()
    rules = (FieldRule("owner", required=True, allowed=("HR", "IT")),)
    contract = Contract(window=256, rules=rules)
    print(f"import and suite, once: {_seconds(contract.load):.2f} s")
    for n_chunks in sorted({100, 1_000, arguments.chunks}):
        for n_bad in (0, n_chunks // 100):
            rows = [_row(number, is_bad=number < n_bad) for number in range(n_chunks)]
            took = _median(lambda rows=rows: contract.validate(rows, NOW), arguments.runs)
            print(f"{n_chunks:>7,} chunks, {n_bad:>3} bad: {took:.2f} s")
    print(f"great_expectations imported by the flow alone: {_is_imported()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    return parser.parse_args()


def _row(number: int, *, is_bad: bool) -> ContractRow:
    metadata = {
        "chunk_id": f"{number:032x}",
        "document_id": f"{number // 20:032x}",
        "version": "2" * 64,
        "source": "handbook",
        "uri": f"pages/{number // 20}.md",
        "title": "Leave",
        "media_type": "text/markdown",
        "language": "en",
        "ordinal": number % 20,
        "char_start": 0,
        "char_end": len(TEXT),
        "heading_path": "Leave > Annual leave",
        "n_tokens": 90,
        "parser": "markdown",
        "parser_version": "1",
        "generation": "3" * 16,
        "run_id": "4" * 32,
        "source_modified_at": MOMENT,
        "indexed_at": MOMENT,
    }
    return ContractRow(metadata if is_bad else {**metadata, "owner": "HR"}, TEXT, TEXT)


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _median(act: Callable[[], object], n_runs: int) -> float:
    return statistics.median(_seconds(act) for _ in range(n_runs))


def _is_imported() -> str:
    """Asked of a process of its own, for this one has imported it."""
    asked = "import sys, flows.ingest; print('great_expectations' in sys.modules)"
    command = [sys.executable, "-c", asked]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
