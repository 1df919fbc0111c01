"""What comparing the vector store with the catalog has found."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.catalog import tables


def save_reconciliation(
    connection: Connection, report: Mapping[str, Any], now: datetime, *, repaired: bool
) -> None:
    row = {
        "generation": report["generation"],
        "at": now,
        "agrees": report["agrees"],
        "repaired": repaired,
        "report": dict(report),
    }
    connection.execute(sa.insert(tables.reconciliation).values(row))


def last_reconciliations(connection: Connection) -> Sequence[RowMapping]:
    """The newest of each generation."""
    one = tables.reconciliation.c
    newest = sa.select(sa.func.max(one.id)).group_by(one.generation)
    query = sa.select(tables.reconciliation).where(one.id.in_(newest))
    return connection.execute(query).mappings().all()
