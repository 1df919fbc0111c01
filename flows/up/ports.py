"""Where the parts of `headwater up` listen: on loopback, on ports that are free unless set."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from flows.errors import UsageError
from flows.orchestration.runtime import is_configured
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
    host: str
    """Where the dashboard listens; the other parts are on loopback."""

    @property
    def addresses(self) -> Addresses:
        number = self.prefect.getsockname()[1] if self.prefect else 0
        return Addresses(
            pid=os.getpid(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            prefect=_url(number),
            vectors=_url(self.vectors),
            dashboard=_url(self.dashboard, _reached_at(self.host)),
        )


@contextmanager
def taken_ports(settings: Settings) -> Iterator[Ports]:
    """Find ports for all parts that are to be put up.

    Raises:
        UsageError: One that is set is in use.
    """
    asked = settings.up
    vectors = 0 if settings.vectors_url else _free(asked.vectors_port, "up.vectors_port")
    host = settings.dashboard.host
    page = _free(settings.dashboard.port, "dashboard.port", host)
    if is_configured():
        yield Ports(None, vectors, page, host)
        return
    with _bound(asked.prefect_port, "up.prefect_port") as listener:
        listener.listen(128)
        yield Ports(listener, vectors, page, host)


def _free(port: int, setting: str, host: str = _HOST) -> int:
    with _bound(port, setting, host) as probe:
        number: int = probe.getsockname()[1]
        return number


def _bound(port: int, setting: str, host: str = _HOST) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had on {host}"
        raise UsageError(f"{setting} = {port} {why}: set another, or 0 for any") from None
    return made


def _url(port: int, host: str = _HOST) -> str:
    return f"http://{host}:{port}" if port else ""


def _reached_at(host: str) -> str:
    """What a URL on this machine has for an address that is listened on."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        return _HOST if host == "0.0.0.0" else "[::1]"  # noqa: S104
    return f"[{host}]" if ":" in host else host
