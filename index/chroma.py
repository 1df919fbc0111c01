"""Opening Chroma, a folder of our own or a server, and asking it so that it cannot hang us.

A folder belongs to one process at a time. Two that write to it lose vectors without a word, and
one that only reads may write too, for it brings the search index up to date; so whoever opens a
folder holds a lock on it, which the kernel takes away when the process ends. One that serves the
folder to others writes its address into the lock file (`index.chroma_service`), and who finds the
folder locked talks to that server.
"""

import fcntl
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from index.chroma_service import address_in, lock_path, serves
from index.errors import DiskFull, ReadOnly, StoreBusy, StoreUnavailable
from index.importing import IMPORTING

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

_Answer = TypeVar("_Answer")

_ROOM: Final = 64 * 1024 * 1024
"""Bytes that must be free before anything is written: Chroma 1.5 never returns from a write during
which the disk fills up."""
_POLL_S: Final = 0.05


class ChromaHome(Protocol):
    """Where Chroma is."""

    def open(self) -> "ClientAPI":
        """A client; `StoreUnavailable` if there can be none."""
        ...

    def require_room(self) -> None:
        """Raise `DiskFull` where a write could fill the disk."""
        ...

    def closed(self) -> None:
        """Told that the client was closed."""
        ...


class ChromaFolder:
    """A Chroma database on disk, in this process."""

    def __init__(self, folder: Path, *, wait_s: float = 60) -> None:
        """`wait_s` is how long to wait for another process that has it open."""
        self._folder = folder
        self._wait_s = wait_s
        self._lock: IO[bytes] | None = None
        self._server: ChromaServer | None = None

    def open(self) -> "ClientAPI":
        """Lock the folder and open it, or connect to the server that has it open.

        Raises:
            StoreBusy: Another process has it open, and serves it to nobody.
        """
        with IMPORTING:
            import chromadb

        self._folder.mkdir(parents=True, exist_ok=True)
        held = lock_or_address(self._folder, self._wait_s)
        if isinstance(held, str):
            self._server = ChromaServer(held)
            return self._server.open()
        self._lock = held
        settings = chromadb.Settings(anonymized_telemetry=False)
        return chromadb.PersistentClient(str(self._folder), settings)

    def require_room(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        if free < _ROOM:
            raise DiskFull(
                f"vectors: {free // 2**20} MiB free where {_ROOM // 2**20} MiB are needed",
                "Make room, then run again.",
            )

    def closed(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._server is not None:
            self._server.closed()
            self._server = None


class ChromaServer:
    """A Chroma server, which any number of processes may use."""

    def __init__(self, url: str) -> None:
        """`url` is `http://HOST:PORT` or `https://…`."""
        self._url = urlsplit(url)
        self._client: ClientAPI | None = None

    def open(self) -> "ClientAPI":
        """Connect to the server.

        Raises:
            StoreUnavailable: It does not answer.
        """
        with IMPORTING:
            import chromadb

        secure = self._url.scheme == "https"
        self._client = chromadb.HttpClient(
            host=self._url.hostname or "localhost",
            port=self._url.port or (443 if secure else 8000),
            ssl=secure,
            settings=chromadb.Settings(anonymized_telemetry=False),
        )
        return self._client

    def require_room(self) -> None:
        """Its disk is not ours to look at."""

    def closed(self) -> None:
        """Close the connections, which Chroma leaves open."""
        if self._client is not None:
            client: Any = self._client
            for one in (client, client._admin_client):
                one._server._session.close()
            self._client = None


def ask(action: Callable[[], _Answer], timeout_s: float) -> _Answer:
    """What `action` returns, or what it raises, in our words.

    It runs in a thread of its own, for nothing else can end a call that never returns; one that
    takes too long is left behind.

    Raises:
        StoreUnavailable: Chroma failed, or did not answer in time.
    """
    with IMPORTING:
        import chromadb.errors
        import httpx

    done: list[_Answer] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            done.append(action())
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True, name="chroma")
    thread.start()
    thread.join(timeout_s)
    if done:
        return done[0]
    if not failed:
        raise StoreUnavailable(f"vectors: no answer within {timeout_s:.0f} s")
    (error,) = failed
    if isinstance(error, chromadb.errors.ChromaError):
        raise _translated(error) from error
    if isinstance(error, OSError | ValueError | httpx.HTTPError):
        raise StoreUnavailable(f"vectors: {type(error).__name__}") from error
    raise error


def lock_or_address(folder: Path, wait_s: float) -> IO[bytes] | str:
    """The lock on a Chroma folder, or the address of the server that holds it.

    Args:
        folder: Of the database.
        wait_s: How long to wait for a holder that serves it to nobody.

    Raises:
        StoreBusy: Another process holds the lock.
    """
    file = lock_path(folder).open("a+b")
    give_up_at = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            address = address_in(folder)
            if address and serves(address, folder):
                file.close()
                return address
            if time.monotonic() >= give_up_at:
                file.close()
                raise StoreBusy(f"vectors: another process has {folder.name} open") from None
            time.sleep(_POLL_S)
        else:
            # What a holder wrote that is no more.
            file.truncate(0)
            return file


def _translated(error: Exception) -> StoreUnavailable:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "disk is full" in said or "No space left" in said:
        return DiskFull("vectors: the disk is full", "Make room, then run again.")
    if "readonly" in said or "unable to open" in said:
        return ReadOnly(f"vectors: {said}", "Let this user write to the state directory.")
    return StoreUnavailable(f"vectors: {said}")
