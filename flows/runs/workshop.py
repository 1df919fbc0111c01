"""Putting up what a batch is worked on with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Great Expectations imports it in a thread; a query would meet it half imported, and fail.
import sqlalchemy.orm  # noqa: F401

from checks.contract import Contract
from flows.metadata.fields import fields_of
from flows.runs.batch import Workshop
from flows.runs.run import Run
from flows.wiring import make_sandbox


@contextmanager
def open_workshop(run: Run) -> Iterator[Workshop]:
    """What documents of a run's source are prepared with; closed with the block."""
    fields = fields_of(run.source)
    window = max(target.embedder.files.window for target in run.index.targets)
    contract = Contract(window=window, rules=fields.rules)
    threading.Thread(target=_warm_up, args=(run, contract), daemon=True).start()
    attempt = run.attempt
    with make_sandbox(
        run.settings, run.source, passwords=attempt.passwords, read_as=attempt.read_as
    ) as sandbox:
        yield Workshop(
            source=run.source.name,
            index=run.index,
            sandbox=sandbox,
            contract=contract,
            fields=fields,
            expected=run.expected,
            rule_against=run.rule_against,
            clock=run.clock,
            run_id=run.id,
            listed_at=run.listed_at,
            gate=run.gate,
        )


def _warm_up(run: Run, contract: Contract) -> None:
    """Import what is slow to import while the first documents are read.

    What goes wrong here goes wrong again where it is needed, and is told there.
    """
    with suppress(Exception):
        run.index.embedder.load()
        contract.load()
