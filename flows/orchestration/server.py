"""A Prefect server that ends with the process that started it: for one command, or lasting.

Prefect can start a temporary server itself; that one prints tracebacks when it is stopped, gives
up after 20 s on a busy machine, and lives on when its parent is killed. This one writes to a log
file, and ends when the pipe on its standard input is closed, however that comes about.

    python -m flows.orchestration.server SOCKET_FD [lasting]
"""

import os
import sys
import threading
from typing import TYPE_CHECKING

import uvicorn

from flows.orchestration.garbage import collect_often

if TYPE_CHECKING:
    from contextlib import _AsyncGeneratorContextManager
    from socket import socket

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
    from sqlalchemy.pool import ConnectionPoolEntry


def main() -> None:
    is_lasting = sys.argv[2:] == ["lasting"]
    if not is_lasting:
        # No user interface, no schedulers, no loops that outlive the command.
        os.environ["PREFECT__SERVER_EPHEMERAL"] = "1"
    os.environ["PREFECT__SERVER_FINAL"] = "1"
    config = uvicorn.Config(
        "prefect.server.api.server:create_app",
        factory=True,
        fd=int(sys.argv[1]),
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=2,
        # On one machine it saves nothing, and costs each connection a third of a MiB.
        ws_per_message_deflate=False,
    )
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _take_turns_at_writing()
    _keep_little_in_memory()
    (_LastingServer if is_lasting else uvicorn.Server)(config).run()


class _LastingServer(uvicorn.Server):
    async def startup(self, sockets: "list[socket] | None" = None) -> None:
        await super().startup(sockets)
        collect_often()


def _take_turns_at_writing() -> None:
    """Have each transaction of Prefect's that may write wait for its turn before it reads.

    SQLite refuses at once one that writes after it has read what another has changed since. Prefect
    answers with 503 then, and every fifth run takes two seconds more.
    """
    from prefect.server.database.configurations import AioSqliteConfiguration

    begin = AioSqliteConfiguration.begin_transaction

    def begin_to_write(
        self: AioSqliteConfiguration,
        session: "AsyncSession",
        with_for_update: bool = False,  # noqa: FBT001, FBT002
    ) -> "_AsyncGeneratorContextManager[AsyncSessionTransaction]":
        return begin(self, session, with_for_update=True)

    AioSqliteConfiguration.begin_transaction = begin_to_write  # type: ignore[method-assign]


def _keep_little_in_memory() -> None:
    """Have each of Prefect's connections to SQLite keep 2 MiB of the database in memory, not 80."""
    from prefect.server.database.configurations import AioSqliteConfiguration

    set_up = AioSqliteConfiguration.setup_sqlite

    def set_up_small(
        self: AioSqliteConfiguration, conn: "DBAPIConnection", record: "ConnectionPoolEntry"
    ) -> None:
        set_up(self, conn, record)
        cursor = conn.cursor()
        cursor.execute("PRAGMA cache_size = -2048")
        cursor.close()

    AioSqliteConfiguration.setup_sqlite = set_up_small  # type: ignore[method-assign]


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    # Nothing is worth a graceful end: what clients were told is committed.
    os._exit(0)


if __name__ == "__main__":
    main()
