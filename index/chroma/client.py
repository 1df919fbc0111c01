"""Opening Chroma, a folder of our own or a server, and asking it so that it cannot hang us.

A folder belongs to one process at a time. Two that write to it lose vectors without a word, and
one that only reads may write too, for it brings the search index up to date; so whoever opens a
folder holds a lock on it, which the kernel takes away when the process ends. One that serves the
folder to others writes its address into the lock file (`index.chroma.service`), and who finds the
folder locked talks to that server.
"""

import fcntl
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from index.chroma import swapping
from index.chroma.service import address_in, lock_path, serves
from index.errors import DiskFull, ReadOnly, StoreBusy, StoreDamaged, StoreUnavailable
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

    def at_rest(self) -> AbstractContextManager[Path | None]:
        """The folder with its files while nobody has it open; None where it is not ours."""
        ...

    def tidy(self) -> None:
        """Remove what collections that are gone have left; no client is open."""
        ...

    def beside(self) -> "ChromaHome | None":
        """An empty place to build anew in; None if the files are not ours."""
        ...

    def swap(self) -> None:
        """Put what was built in the place beside here; no client is open."""
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
        if self._lock is None and self._server is None:
            held = lock_or_address(self._folder, self._wait_s)
            if isinstance(held, str):
                self._server = ChromaServer(held)
            else:
                self._lock = held
        if self._server is not None:
            return self._server.open()
        self._folder.mkdir(exist_ok=True)
        return _client(self._folder)

    def require_room(self) -> None:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder.parent).free
        if free < _ROOM:
            raise DiskFull(
                f"vectors: {free // 2**20} MiB free where {_ROOM // 2**20} MiB are needed",
                "Make room, then run again.",
            )

    def closed(self) -> None:
        if self._lock is not None:
            swapping.blank_unused(self._folder)
            self._lock.close()
            self._lock = None
        if self._server is not None:
            self._server.closed()
            self._server = None

    def tidy(self) -> None:
        """Chroma keeps the folders of collections that were deleted, with all their vectors."""
        if self._server is None:
            swapping.remove_strays(self._folder)

    def beside(self) -> "ChromaFolder | None":
        """A folder whose lock is the one on this folder; None where a server has that."""
        return _FolderBeside(swapping.make_beside(self._folder)) if self._lock else None

    def swap(self) -> None:
        """Killed anywhere, it is finished by the next to open the folder."""
        swapping.swap(self._folder)

    @contextmanager
    def at_rest(self) -> Iterator[Path | None]:
        """The folder, locked; to open it within the block would be to wait for oneself.

        Raises:
            StoreBusy: Another process has it open, and serves it to nobody.
        """
        held = lock_or_address(self._folder, self._wait_s)
        if isinstance(held, str):
            yield None
        else:
            with held:
                yield self._folder


class _FolderBeside(ChromaFolder):
    """A folder that nobody else looks for."""

    def open(self) -> "ClientAPI":
        return _client(self._folder)

    def closed(self) -> None:
        swapping.blank_unused(self._folder)


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
        host, port = self._url.hostname or "localhost", self._url.port or (443 if secure else 8000)
        settings = chromadb.Settings(anonymized_telemetry=False)
        try:
            client = chromadb.HttpClient(host=host, port=port, ssl=secure, settings=settings)
        except ValueError as error:
            raise StoreUnavailable(f"vectors: no Chroma server answers at {host}:{port}") from error
        self._client = client
        return client

    def require_room(self) -> None:
        """Its disk is not ours to look at."""

    def closed(self) -> None:
        """Close the connections, which Chroma leaves open."""
        if self._client is not None:
            client: Any = self._client
            for one in (client, client._admin_client):
                one._server._session.close()
            self._client = None

    def at_rest(self) -> AbstractContextManager[None]:
        """Its files are not ours to read."""
        return nullcontext()

    def tidy(self) -> None:
        """Its files are not ours to touch."""

    def beside(self) -> None:
        """Its files are not ours to build."""

    def swap(self) -> None:
        """Never asked for: there is no place beside it."""


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


def _client(folder: Path) -> "ClientAPI":
    with IMPORTING:
        import chromadb

    return chromadb.PersistentClient(str(folder), chromadb.Settings(anonymized_telemetry=False))


def lock_or_address(folder: Path, wait_s: float) -> IO[bytes] | str:
    """The lock on a Chroma folder, or the address of the server that holds it.

    With the lock, a swap that somebody was killed in is finished.

    Args:
        folder: Of the database.
        wait_s: How long to wait for a holder that serves it to nobody.

    Raises:
        StoreBusy: Another process holds the lock.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
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
            file.truncate(0)  # What a holder wrote that is no more.
            swapping.settle(folder)
            return file


def _translated(error: Exception) -> StoreUnavailable:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "disk is full" in said or "No space left" in said:
        return DiskFull("vectors: the disk is full", "Make room, then run again.")
    if "readonly" in said or "unable to open" in said:
        return ReadOnly(f"vectors: {said}", "Let this user write to the state directory.")
    if "hnsw segment reader" in said and "os error" not in said:
        return StoreDamaged(f"vectors: {said}")
    return StoreUnavailable(f"vectors: {said}")
