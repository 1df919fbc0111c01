"""One message to one receiver, through Apprise.

Apprise swallows failures and says why only in its log, with addresses that may hold secrets: what
comes out of here are words of our own.
"""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from index.catalog.alerts import Letter, Phase, Severity

UNREACHABLE: Final = "the receiver cannot be reached, or does not answer"
REFUSED: Final = "the receiver did not take it"
NOT_UNDERSTOOD: Final = "Apprise knows no such service"
_STATUS: Final = re.compile(r"\berror[=:]\s*(\d{3})\b")
_NO_CONNECTION: Final = re.compile(r"connection error|socket|timed? ?out", re.IGNORECASE)
_LOGGER: Final = logging.getLogger("apprise")


def is_understood(url: str) -> bool:
    """Whether Apprise knows how to send to such a URL."""
    with _unheard():
        return _receiver(url) is not None


def send(url: str, letter: Letter) -> str:
    """Send a message, and wait until the receiver has taken it.

    Returns:
        Why it did not arrive; empty if it did.
    """
    import apprise

    with _unheard() as said:
        receiver = _receiver(url)
        if receiver is None:
            return NOT_UNDERSTOOD
        arrived = apprise.Apprise(receiver, asset=receiver.asset).notify(
            title=letter.title,
            body=letter.body,
            notify_type=_kind(letter),
            body_format=apprise.NotifyFormat.TEXT,
        )
    return "" if arrived else _why(said)


def _receiver(url: str) -> Any:
    import apprise

    asset = apprise.AppriseAsset(
        app_id="Headwater",
        app_desc="Headwater",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
    )
    return apprise.Apprise.instantiate(url, asset=asset)


def _kind(letter: Letter) -> Any:
    from apprise import NotifyType

    if letter.phase is Phase.RESOLVED:
        return NotifyType.SUCCESS
    return NotifyType.FAILURE if letter.severity is Severity.ERROR else NotifyType.WARNING


class _Ear(logging.Filter):
    """Hears what Apprise logs in this thread, and lets nobody else hear it: it shows URLs."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self.heard: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        self.heard.append(record.getMessage())
        return False


@contextmanager
def _unheard() -> Iterator[list[str]]:
    ear = _Ear()
    _LOGGER.addFilter(ear)
    try:
        yield ear.heard
    finally:
        _LOGGER.removeFilter(ear)


def _why(lines: list[str]) -> str:
    said = "\n".join(lines)
    if status := _STATUS.search(said):
        return f"{REFUSED} (HTTP {status.group(1)})"
    return UNREACHABLE if _NO_CONNECTION.search(said) else REFUSED
