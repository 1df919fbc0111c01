"""Real servers on loopback: PostgreSQL and Chroma, in folders of their own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import sqlalchemy as sa

_READY_TIMEOUT_S: Final = 120
_FAST: Final = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=16MB",
    "max_connections=60",
    "autovacuum=off",
)
"""What a database needs that is thrown away."""
_STARTER: Final = ThreadPoolExecutor(1)
"""Linux takes the end of the thread that started a process for the end of its parent."""


def postgres_programs() -> Path | None:
    """The folder of the newest PostgreSQL that is installed."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(installed, key=lambda path: float(path.parent.parent.name))
    return newest[-1].parent if newest else None


class Postgres:
    """A cluster that anyone on this machine may enter; a context that ends with its files gone."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._files = ExitStack()
        self._as_user = _as_somebody_else() if os.geteuid() == 0 else []
        self.port = free_port()

    def __enter__(self) -> Self:
        home = Path(self._files.enter_context(tempfile.TemporaryDirectory(prefix="headwater-pg-")))
        if self._as_user:
            shutil.chown(home, "nobody")
        self._cluster = home / "cluster"
        self._run("initdb", "-D", self._cluster, "-A", "trust", "-U", "headwater", "-N")
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()
        self._files.close()

    def start(self) -> None:
        settings = (f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=")
        options = [word for setting in (*settings, *_FAST) for word in ("-c", setting)]
        command = [*self._as_user, self._programs / "postgres", "-D", self._cluster, *options]
        self._process = _start(command)
        wait_for(self._answers)

    def stop(self) -> None:
        """Cut all connections and end, as in a crash."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def _answers(self) -> bool:
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://headwater@127.0.0.1:{self.port}/{database}"

    def make_database(self, name: str, template: str = "template0") -> str:
        """The URL of a new database."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Outside of any transaction, in the database `postgres`."""
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [*self._as_user, str(self._programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


def _as_somebody_else() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def _start(command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
    """A process that ends when this one does, however that comes about, where Linux is."""
    words = [str(word) for word in command]
    if shutil.which("setpriv") is not None:
        rest = words[1:] if words[0] == "setpriv" else words
        words = ["setpriv", "--pdeathsig=QUIT", *rest]
    nowhere = subprocess.DEVNULL
    begin = partial(subprocess.Popen, words, stdout=nowhere, stderr=nowhere, cwd="/")
    return _STARTER.submit(begin).result()


class Chroma:
    """`chroma run` over a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = Path(sys.executable).with_name("chroma")
        place = ("--path", str(self._folder), "--host", "127.0.0.1", "--port", str(self.port))
        self._process = _start([program, "run", *place])
        wait_for(self._answers)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/heartbeat", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def chroma_server(folder: Path) -> Iterator[Chroma]:
    """A server that ends with the block."""
    server = Chroma(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(is_so: Callable[[], bool], timeout_s: float = _READY_TIMEOUT_S) -> None:
    """Return when something has become so; `TimeoutError` if it does not."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)
