"""Serving the dashboard: who may be let in, the socket, and the server on it."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvicorn

from flows.dashboard.access import Access
from flows.dashboard.app import make_app
from flows.dashboard.settings import DashboardSettings
from flows.errors import UsageError
from flows.settings import Settings

_MIN_TOKEN: Final = 16
_GRACE_S: Final = 3


def serve(
    settings: Settings, config: Path | None, user: str, listening: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C or a signal to end.

    Args:
        settings: That say what to show, where to listen and whom to let in.
        config: The file that they were read from; None for the one in the working directory.
        user: Whoever gives the command.
        listening: Told the address, once there is an answer at it.

    Raises:
        UsageError: Anybody could come in, the token is missing or short, or the address is taken.
    """
    access = make_access(settings.dashboard, user)
    with _listener(settings.dashboard) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        listening(f"http://{shown}:{port}")
        config_of_server = uvicorn.Config(
            make_app(settings, access, config),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        with suppress(KeyboardInterrupt):  # It has ended as it should by then.
            uvicorn.Server(config_of_server).run(sockets=[listener])


def make_access(settings: DashboardSettings, user: str) -> Access:
    """The rules by which requests are let in.

    Raises:
        UsageError: Anybody could come in, or the token is missing or short.
    """
    token = None
    if settings.token_env is not None:
        token = os.environ.get(settings.token_env, "").strip()
        if len(token) < _MIN_TOKEN:
            raise UsageError(
                f"dashboard.token_env: the environment variable {settings.token_env} must hold a "
                f"token of {_MIN_TOKEN} characters or more"
            )
    if not settings.is_local and token is None and settings.user_header is None:
        raise UsageError(
            f"dashboard.host = {settings.host!r} lets others in: set dashboard.token_env, or "
            "dashboard.user_header behind a reverse proxy that signs people in"
        )
    return Access(local_user=user, token=token, user_header=settings.user_header)


def _listener(settings: DashboardSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise UsageError(
            f"the dashboard cannot listen on {settings.host}:{settings.port} ({error.strerror}): "
            "set another with dashboard.port or --port"
        ) from error
