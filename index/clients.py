"""Clients of remote stores, those of fsspec: what they raise, and what that means."""

import errno
import sys
from typing import Final

OBJECT_STORES: Final = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl")
"""Protocols of stores that list all that lies below a prefix at once, and have no folders."""
_FOREIGN: Final = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
)
"""What clients of stores raise besides `OSError`."""
_UNREACHED: Final = (
    ("botocore.exceptions", "ConnectionError"),
    ("botocore.exceptions", "HTTPClientError"),
    ("aiohttp", "ClientConnectionError"),
    ("aiohttp", "ClientPayloadError"),
    ("azure.core.exceptions", "ServiceRequestError"),
    ("azure.core.exceptions", "ServiceResponseError"),
    ("google.auth.exceptions", "TransportError"),
)
"""Those of them that say that the store, not a document, cannot be had."""
_BUSY: Final = (429, 502, 503, 504)
"""HTTP states by which a server says the same."""
_REPLACED: Final = (("s3fs.utils", "FileExpired"),)
"""Says that an object is not what it was when it was listed; and calls that busy, too."""


def raised_by_clients() -> tuple[type[BaseException], ...]:
    """What can be caught of clients that are in use."""
    return (OSError, ValueError, ImportError, *_loaded(_FOREIGN))


def _loaded(names: tuple[tuple[str, str], ...]) -> tuple[type[BaseException], ...]:
    """Of exceptions by module and name, those of libraries in use."""
    return tuple(getattr(sys.modules[home], name) for home, name in names if home in sys.modules)


def is_away(error: BaseException) -> bool:
    """Whether it is the store that cannot be reached, now or because it is busy."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, _loaded(_REPLACED)):
        if isinstance(cause, (ConnectionError, TimeoutError, *_loaded(_UNREACHED))):
            return True
        if getattr(cause, "status", None) in _BUSY or getattr(cause, "errno", None) == errno.EBUSY:
            return True
        cause = cause.__cause__
    return False


def in_words(error: BaseException) -> str:
    """What went wrong, without what the error says itself, which may hold a signed URL."""
    if isinstance(error, ImportError | ValueError):
        return str(error)
    said = getattr(error, "strerror", None)
    if said and "://" not in said:
        return str(said)
    status = getattr(error, "status", None)
    if isinstance(error, FileNotFoundError):
        return "there is nothing"
    return f"HTTP {status}" if isinstance(status, int) else type(error).__name__
