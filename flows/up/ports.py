"""Where the parts of `headwater up` listen: on loopback, on ports that are free unless set."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from flows.errors import UsageError
from flows.prefect_runtime import is_configured
from flows.settings import Settings
from flows.up.addresses import Addresses

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """What is taken for the parts."""

    prefect: socket.socket | None
    """Listens from the start and stays open: a server that is started again misses no request."""
    vectors: int
    """0 if a server that is configured has them."""
    dashboard: int
    """0 if there is none."""

    @property
    def addresses(self) -> Addresses:
        number = self.prefect.getsockname()[1] if self.prefect else 0
        return Addresses(
            pid=os.getpid(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            prefect=_url(number),
            vectors=_url(self.vectors),
            dashboard=_url(self.dashboard),
        )


@contextmanager
def taken_ports(settings: Settings, *, dashboard: bool) -> Iterator[Ports]:
    """Find ports for all parts that are to be put up.

    Raises:
        UsageError: One that is set is in use.
    """
    asked = settings.up
    vectors = 0 if settings.vectors_url else _free(asked.vectors_port, "vectors")
    page = _free(asked.dashboard_port, "dashboard") if dashboard else 0
    if is_configured():
        yield Ports(None, vectors, page)
        return
    with _bound(asked.prefect_port, "prefect") as listener:
        listener.listen(128)
        yield Ports(listener, vectors, page)


def _free(port: int, part: str) -> int:
    with _bound(port, part) as probe:
        number: int = probe.getsockname()[1]
        return number


def _bound(port: int, part: str) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((_HOST, port))
    except OSError:
        made.close()
        raise UsageError(f"up.{part}_port = {port} is in use: set another, or 0 for any") from None
    return made


def _url(port: int) -> str:
    return f"http://{_HOST}:{port}" if port else ""
