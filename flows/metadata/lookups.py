"""Asking a service for what documents do not say of themselves. Nothing is asked unless it is set.

A service that does not answer is asked again with backoff, and then no more in the same run: what
needs its answer is tried again by the next one.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx

from flows.metadata.settings import LookupSettings
from parsers.document import clean_text

_RETRY_DELAYS_S: Final = (0.5, 2.0)
_MAX_ANSWER_BYTES: Final = 1024 * 1024
_NOT_FOUND: Final = (404, 410)


class LookupFailed(Exception):
    """A service gave no answer; the message says why, and not where it is."""


@dataclass(slots=True)
class Lookups:
    """The services that a source's settings name, by the field that they know."""

    services: Mapping[str, LookupSettings]
    delays_s: Sequence[float] = field(default_factory=lambda: _RETRY_DELAYS_S)
    """Before each further attempt."""
    _silent: dict[str, str] = field(default_factory=dict)
    """Fields whose service has failed for good, and how."""

    def ask(self, name: str, uri: str) -> str | None:
        """A field's value for a document; None if no service is set, or it knows none.

        Raises:
            LookupFailed: There was no answer after several attempts, now or before in this run.
        """
        if name not in self.services:
            return None
        if name in self._silent:
            raise LookupFailed(self._silent[name])
        for delay_s in (*self.delays_s, None):
            try:
                return _value(self.services[name], uri)
            except (httpx.HTTPError, ValueError) as error:
                if delay_s is None:
                    self._silent[name] = f"lookup of {name}: {_said(error)}"
                    raise LookupFailed(self._silent[name]) from error
                time.sleep(delay_s)
        return None


def _value(service: LookupSettings, uri: str) -> str | None:
    """What the service says.

    Raises:
        httpx.HTTPError: It does not answer, or with an error.
        ValueError: Its answer is no JSON object, or too long.
    """
    url = service.url.replace("{uri}", quote(uri, safe=""))
    timeout_s = service.timeout.total_seconds()
    deadline = time.monotonic() + timeout_s
    with httpx.stream("GET", url, timeout=timeout_s) as response:
        if response.status_code in _NOT_FOUND:
            return None
        response.raise_for_status()
        answer = _object(response, deadline)
    value = answer.get(service.field)
    return None if value is None else clean_text(str(value)).strip()


def _object(response: httpx.Response, deadline: float) -> dict[str, Any]:
    """A JSON object that arrives in time and is not too long."""
    said = b""
    for part in response.iter_bytes():
        said += part
        if len(said) > _MAX_ANSWER_BYTES:
            raise ValueError("the answer is too long")
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the answer takes too long")
    answer = json.loads(said)
    if not isinstance(answer, dict):
        raise ValueError("the answer is no JSON object")
    return answer


def _said(error: httpx.HTTPError | ValueError) -> str:
    """What went wrong, without the address, which may hold a secret."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"status {error.response.status_code}"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "the answer is no JSON"
    return str(error) if isinstance(error, ValueError) else type(error).__name__
