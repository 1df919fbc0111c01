"""A Chroma server on a folder of ours: who holds the lock tells its address, and clients know it.

A port may be another server's by the time that somebody connects to it, so ours has a database
whose name says which folder it serves.
"""

import hashlib
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Final

_ANSWER_S: Final = 5.0
_DATABASES: Final = "/api/v2/tenants/default_tenant/databases"


def lock_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def address_in(folder: Path) -> str:
    """The address that the holder of the lock has written; empty if it serves nobody."""
    try:
        return lock_path(folder).read_text("utf-8").strip()
    except OSError:
        return ""


def announce(lock: IO[bytes], url: str) -> None:
    """Write the address into a lock file that is held; an empty one says that nobody is served."""
    lock.truncate(0)
    lock.write(url.encode())
    lock.flush()


def serves(url: str, folder: Path) -> bool:
    """Whether the server at an address answers, and serves this folder."""
    try:
        with _request(f"{url}{_DATABASES}/{_mark(folder)}"):
            return True
    except (urllib.error.URLError, OSError):
        return False


def mark(url: str, folder: Path) -> bool:
    """Have a server say which folder it serves; False while it does not answer."""
    body = json.dumps({"name": _mark(folder)}).encode()
    try:
        with _request(f"{url}{_DATABASES}", body):
            return True
    except urllib.error.HTTPError:
        return serves(url, folder)  # It may have been marked before.
    except (urllib.error.URLError, OSError):
        return False


def serve(folder: Path, port: int) -> None:
    """Serve a folder on loopback until the process ends."""
    import chromadb_rust_bindings

    sys.argv = ["chroma", "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    chromadb_rust_bindings.cli(sys.argv)


def _mark(folder: Path) -> str:
    return f"headwater-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}"


def _request(url: str, body: bytes | None = None) -> IO[bytes]:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    answer: IO[bytes] = urllib.request.urlopen(request, timeout=_ANSWER_S)  # noqa: S310
    return answer
