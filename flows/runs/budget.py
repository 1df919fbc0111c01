"""How a source kept to its objective, by its history."""

from datetime import datetime

from sqlalchemy.engine import Connection

from checks.error_budget import WINDOW, Budget, Spans, spend
from checks.freshness import Clocks, Objective
from index.catalog import history
from index.catalog.history import Look


def read_budget(connection: Connection, source: str, objective: Objective, now: datetime) -> Budget:
    """How a source kept to its objective, by its history and what was last known of it."""
    spans = Spans(*history.spans_since(connection, source, now - WINDOW))
    if last := history.last_look(connection, source):
        spans += spend(clocks_of(last), max(last.at, now - WINDOW), now, objective)
    return Budget(spans, objective.target)


def clocks_of(look: Look) -> Clocks:
    """What was known when a source was looked at."""
    return Clocks(
        last_check=look.last_check,
        last_success=look.last_success,
        newest_change_seen=look.newest_change_seen,
        newest_change_searchable=look.newest_change_searchable,
        oldest_change_waiting=look.oldest_change_waiting,
        complete_as_of=look.complete_as_of,
        check_failed=look.check_failed,
    )
