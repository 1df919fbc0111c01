"""What every request passes: who asks, and the headers of every answer. ASGI middleware."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.dashboard.access import Access

_OPEN: Final = ("/healthz", "/readyz", "/signin")
_SECURITY: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_NOT_KEPT: Final = "no-store"
"""Answers hold what documents say."""


class Gate:
    """Lets nobody through who has not shown what is demanded."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        user = self._access.who(*_headers_and_cookies(scope))
        scope.setdefault("state", {})["user"] = user
        sending = _guarded(send)
        if user is not None or _is_open(scope["path"]):
            await self._app(scope, receive, sending)
        elif self._access.has_token and not _is_for_programs(scope["path"]):
            await _to_sign_in(scope, sending)
        elif self._access.demands_nothing:
            await _refuse(
                sending, HTTPStatus.FORBIDDEN, "this dashboard is for its own machine: localhost"
            )
        else:
            await _refuse(
                sending, HTTPStatus.UNAUTHORIZED, "send the token, or come through the proxy"
            )


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith("/static/")


def _is_for_programs(path: str) -> bool:
    return path == "/metrics" or path.startswith("/api/")


def _headers_and_cookies(scope: Scope) -> tuple[dict[str, str], dict[str, str]]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return headers, cookie_parser(headers.get("cookie", ""))


def _guarded(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY.items():
                headers[name] = value
            headers.setdefault("cache-control", _NOT_KEPT)
        await send(message)

    return sending


async def _to_sign_in(scope: Scope, send: Send) -> None:
    wanted = scope["path"]
    if scope["query_string"]:
        wanted += "?" + scope["query_string"].decode("latin-1")
    location = "/signin" if wanted == "/" else f"/signin?next={quote(wanted, safe='')}"
    await _answer(send, 303, b"", {"location": location})


async def _refuse(send: Send, status: int, why: str) -> None:
    headers = {"content-type": "application/json"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    await _answer(send, status, json.dumps({"detail": why}).encode(), headers)


async def _answer(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
