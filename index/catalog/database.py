"""Opening the catalog: its engine, its migrations, and what its errors mean."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from index.catalog.tables import metadata
from index.errors import DiskFull, LeaseLost, ReadOnly, StoreUnavailable

_MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"
HEAD: Final = "0006"
"""The newest migration; a test holds it equal to what lies in the folder."""

_HOLDERS: Final = sa.text(
    "SELECT max(application_name) FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND pg_stat_activity.pid <> pg_backend_pid() "
    "AND (classid::bigint << 32) + objid::bigint = :key"
)
_KEPT: Final = sa.text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = :pid "
    "AND (classid::bigint << 32) + objid::bigint = :key"
)
_SNAPSHOT: Final[dict[str, Any]] = {
    "isolation_level": "REPEATABLE READ",
    "postgresql_readonly": True,
}


class Catalog:
    """A database, migrated to the newest schema. Safe to use from several threads."""

    def __init__(self, url: str, timeout_s: float = 60) -> None:
        """Open the catalog; a missing SQLite file is made.

        Args:
            url: An SQLAlchemy URL, of SQLite or PostgreSQL.
            timeout_s: How long one statement may take, or wait for others.

        Raises:
            StoreUnavailable: It cannot be opened, read or brought up to date.
        """
        self._engine = _engine(url, timeout_s)
        self._is_postgres = self._engine.dialect.name == "postgresql"
        self._locks: set[tuple[int, int]] = set()
        with self.reading() as connection:
            is_current = _revision(connection) == HEAD
        if not is_current:
            self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        connection = self._engine.connect().execution_options(writes=True, rebuilds=True)
        with connection, connection.begin():
            if self._is_postgres:  # SQLite lets only one write anyway.
                key = {"key": _key_of("headwater schema")}
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), key)
            _migrate(connection)
            broken = () if self._is_postgres else _broken_references(connection)
            if broken:
                raise StoreUnavailable(f"catalog: migrating would break {', '.join(broken)}")
            connection.detach()  # With its settings, from the pool.

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment and changes nothing."""
        with self._engine.connect() as connection:
            yield connection.execution_options(**_SNAPSHOT) if self._is_postgres else connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, committed at the end of the block and undone by an exception.

        Raises:
            LeaseLost: A lock that was taken with `lock` is there no more; nothing is written.
        """
        connection = self._engine.connect().execution_options(writes=True)
        with connection, connection.begin():
            yield connection
            for key, pid in self._locks:
                if not connection.scalar(_KEPT, {"key": key, "pid": pid}):
                    raise LeaseLost

    def lock(self, held: ExitStack, name: str, holder: str, *, shared: bool) -> str | None:
        """Take a lock in PostgreSQL until `held` is closed, or this process ends.

        Args:
            held: Closed to give the lock back.
            name: Of what is locked.
            holder: Who asks, for others to be told.
            shared: Along with others that ask for it so.

        Returns:
            None, or who has it.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        key = _key_of(name)
        how = "_shared" if shared else ""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with ExitStack() as undo:
            undo.callback(connection.invalidate)
            connection.execute(
                sa.text("SELECT set_config('application_name', :who, false)"), {"who": holder[:63]}
            )
            taken = sa.text(f"SELECT pg_try_advisory_lock{how}(:key)")
            if not connection.scalar(taken, {"key": key}):
                others: str | None = connection.scalar(_HOLDERS, {"key": key})
                return others or "another process"
            lock = key, connection.scalar(sa.text("SELECT pg_backend_pid()"))
            undo.pop_all()
        held.callback(connection.invalidate)
        self._locks.add(lock)
        held.callback(self._locks.discard, lock)
        return None

    def compact(self) -> None:
        """Write the database anew, so that its files hold nothing that was deleted.

        Raises:
            StoreUnavailable: It cannot be done, for want of room or because others read it.
        """
        if self._engine.dialect.name == "postgresql":
            self._compact_tables()
            return
        with self._engine.connect().execution_options(transacts=False) as connection:
            connection.exec_driver_sql("VACUUM")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
        if busy:
            raise StoreUnavailable(
                "catalog: another process reads it, and keeps old pages in its log",
                "End what uses the state directory, then try again.",
            )

    def _compact_tables(self) -> None:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with connection:
            connection.exec_driver_sql("SET statement_timeout = 0")
            for table in metadata.sorted_tables:
                connection.exec_driver_sql(f"VACUUM (FULL) {table.name}")
            connection.invalidate()  # With the setting.

    def close(self) -> None:
        self._engine.dispose()


def _key_of(name: str) -> int:
    """What PostgreSQL knows a lock by."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _engine(url: str, timeout_s: float) -> Engine:
    milliseconds = int(timeout_s * 1000)
    if sa.make_url(url).get_backend_name() == "postgresql":
        limits = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
        options = {"connect_timeout": 10, "options": limits, "tcp_user_timeout": milliseconds}
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args=options)
    else:
        engine = sa.create_engine(url, connect_args={"timeout": timeout_s})
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    sa.event.listen(engine, "handle_error", _translate)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # `_begin_sqlite` opens the transactions.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    if not connection.get_execution_options().get("transacts", True):
        return
    # A transaction that reads first and writes later fails at once when another has written in
    # between; one that says at the start that it will write waits for its turn.
    options = connection.get_execution_options()
    if options.get("rebuilds", False):
        # A table is altered by copying and dropping it, which other tables' references forbid.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    writes = options.get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def database_of(connection: Connection) -> str:
    """What the catalog lies in, with its version, in words."""
    if connection.dialect.name == "sqlite":
        return f"SQLite {connection.scalar(sa.text('SELECT sqlite_version()'))}"
    return f"PostgreSQL {connection.scalar(sa.text('SHOW server_version'))}"


def _broken_references(connection: Connection) -> list[str]:
    """The SQLite tables with rows that refer to nothing."""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check")
    return sorted({str(row[0]) for row in rows})


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


def _translate(context: ExceptionContext) -> None:
    """Turn what the database driver raises for the world's reasons into our words."""
    error = context.sqlalchemy_exception
    is_worldly = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    if not is_worldly and type(error) is not sa.exc.DatabaseError:
        return
    said = str(context.original_exception).splitlines()[0]
    if "disk is full" in said or "No space left" in said:
        raise DiskFull("catalog: the disk is full", "Make room, then run again.")
    if "readonly" in said or "unable to open" in said:
        raise ReadOnly(
            f"catalog: {said}",
            "Let this user write to the state directory, or set another with --state.",
        )
    raise StoreUnavailable(f"catalog: {said}") from context.original_exception
