"""What `headwater up` puts up: each part a process of its own, its command, and how it is ready."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

from flows.orchestration.runtime import answers, is_configured
from flows.settings import Settings
from flows.up.addresses import Addresses
from flows.up.ports import Ports
from flows.up.worker import worker_name
from index.chroma.service import mark

_POOL: Final = "headwater"


@dataclass(frozen=True, slots=True)
class Part:
    """A process that is kept running."""

    name: str
    command: Sequence[str]
    is_ready: Callable[[int], bool]
    """Of its process id; quick, and asked until it is true."""
    environment: Mapping[str, str] = field(default_factory=dict)
    kept_open: tuple[int, ...] = ()
    """File descriptors that it inherits."""
    stop_s: float = 5.0
    """How long it has to end when it is told to."""


def make_parts(
    settings: Settings,
    config: Path | None,
    state: Path | None,
    ports: Ports,
    lock: IO[bytes] | None,
) -> Iterator[Part]:
    """The parts, in the order in which they are started; they are stopped in the other.

    Args:
        settings: Read from `config`.
        config: The settings file, absolute, if there is one.
        state: The state directory, absolute, if it is not the one in the settings.
        ports: Where each part listens.
        lock: On Chroma's folder, if it is ours to serve.
    """
    given = [str(config or ""), str(state or "")]
    addresses = ports.addresses
    if ports.prefect is not None:
        yield _prefect(settings, ports.prefect.fileno(), addresses)
    if lock is not None:
        yield _vectors(settings.state_dir / "chroma", ports.vectors, lock)
    api = addresses.prefect_api or os.environ.get("PREFECT_API_URL", "")
    known = {"PREFECT_API_URL": api} if api else {}
    kind = "shared" if is_configured() else "exclusive"
    yield Part(
        "worker",
        [sys.executable, "-m", "flows.up.worker", kind, *given],
        lambda pid: _is_online(api, pid),
        # Polling more often than once in 10 s: a run is to begin when it is due.
        known | {"PREFECT_WORKER_QUERY_SECONDS": "5"},
        # Runs note where they were.
        stop_s=25.0,
    )
    yield _dashboard(ports, given, known)


def _prefect(settings: Settings, socket: int, addresses: Addresses) -> Part:
    home = settings.state_dir / "prefect"
    keep_runs, keep_events = settings.up.keep_runs, settings.up.keep_events
    return Part(
        "prefect",
        [sys.executable, "-m", "flows.orchestration.server", str(socket), "lasting"],
        lambda pid: answers(addresses.prefect_api),
        {
            # Its many threads would each keep memory of their own that they have freed.
            "MALLOC_ARENA_MAX": "2",
            "PREFECT_UI_API_URL": addresses.prefect_api,
            "PREFECT_UI_STATIC_DIRECTORY": str(home / "ui"),
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
            "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": _seconds(keep_runs),
            "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{_seconds(keep_events)}S",
            # What runs hold must outlive a server that is started again.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
                "prefect.server.concurrency.lease_storage.filesystem"
            ),
        },
        (socket,),
    )


def _vectors(folder: Path, port: int, lock: IO[bytes]) -> Part:
    return Part(
        "vectors",
        [sys.executable, "-m", "flows.up.vectors", str(folder), str(port)],
        lambda pid: mark(f"http://127.0.0.1:{port}", folder),
        # It logs every request otherwise.
        {"RUST_LOG": "error"},
        # The folder stays locked until the last process is gone that may write to it.
        kept_open=(lock.fileno(),),
    )


def _dashboard(ports: Ports, given: Sequence[str], known: Mapping[str, str]) -> Part:
    url = ports.addresses.dashboard
    config, state = given
    options = ["--config", config] if config else []
    options += ["--state", state] if state else []
    return Part(
        "dashboard",
        [sys.executable, "-m", "flows.up.dashboard", "--port", str(ports.dashboard), *options],
        lambda pid: _responds(f"{url}/healthz"),
        known,
    )


def _seconds(span: timedelta) -> str:
    return str(int(span.total_seconds()))


def _is_online(api: str, pid: int) -> bool:
    """Whether Prefect has heard of the worker in this process."""
    body = json.dumps({"workers": {"status": {"any_": ["ONLINE"]}}}).encode()
    url = f"{api}/work_pools/{_POOL}/workers/filter"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return worker_name(pid) in {one["name"] for one in json.load(answer)}
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False
