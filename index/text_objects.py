"""Texts under an fsspec URL, where many machines have them."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from index.clients import OBJECT_STORES, in_words, is_away, raised_by_clients
from index.errors import StoreUnavailable
from index.texts import UNFINISHED, unavailable

_TO_READ: Final = {"s3": {"max_concurrency": 1}, "s3a": {"max_concurrency": 1}}
"""By protocol, what keeps a client from asking for the size before it reads."""
_REMEDY: Final = (
    "See that {url} can be reached, listed and written to with the credentials in the environment; "
    "the next run tries again."
)


class TextObjects:
    """The objects below a URL. It is opened when it is first used, and its client imported then."""

    def __init__(self, url: str, *, timeout_s: float = 120) -> None:
        """`timeout_s` is how long one request may take, where the client can be interrupted."""
        self.url = url.rstrip("/")
        self._remedy = _REMEDY.format(url=self.url)
        self._protocol = url.partition("://")[0]
        self._timeout_s = timeout_s
        self._opening = threading.Lock()
        self._opened: tuple[Any, str] | None = None

    def write(self, name: str, data: bytes) -> None:
        if self._protocol in OBJECT_STORES:
            self._ask("pipe_file", name, data)
        else:
            self._write_and_move(name, data)

    def read(self, name: str) -> bytes | None:
        options = _TO_READ.get(self._protocol, {})
        data: bytes | None = self._ask("cat_file", name, may_be_missing=True, **options)
        return data

    def names(self) -> Iterator[str]:
        paths = self._ask("find", may_be_missing=True) or ()
        start = self._path("")
        for path in paths:
            if path.startswith(start) and not path.endswith("/"):
                yield path.removeprefix(start)

    def delete(self, name: str) -> None:
        self._ask("rm_file", name, may_be_missing=True)

    def _write_and_move(self, name: str, data: bytes) -> None:
        """For what others see while it is being written."""
        written = f"{name}.{uuid.uuid4().hex}{UNFINISHED}"
        self._ask("makedirs", name.rpartition("/")[0], exist_ok=True)
        try:
            self._ask("pipe_file", written, data)
            self._ask("mv", written, self._path(name))
        except BaseException:
            with suppress(StoreUnavailable):
                self.delete(written)
            raise

    def _ask(
        self,
        method: str,
        name: str = "",
        *arguments: Any,
        may_be_missing: bool = False,
        **options: Any,
    ) -> Any:
        """What the client answers; None if what it is asked for is missing, and may be."""
        try:
            return self._call(method, self._path(name), *arguments, **options)
        except FileNotFoundError as error:
            # Another bucket than the one that was meant must not make all texts look lost.
            if may_be_missing and self._has_bucket():
                return None
            raise unavailable(error, f"there is nothing at {self.url}", self._remedy) from error
        except raised_by_clients() as error:
            raise self._failed(error) from error

    def _has_bucket(self) -> bool:
        bucket = self._open()[1].partition("/")[0]
        try:
            return not bucket or bool(self._call("exists", bucket))
        except raised_by_clients() as error:
            raise self._failed(error) from error

    def _call(self, method: str, path: str, *arguments: Any, **options: Any) -> Any:
        from fsspec.asyn import sync

        client = self._open()[0]
        # What a client has listed is not to be remembered: another machine may have written since.
        client.invalidate_cache()
        coroutine = getattr(client, f"_{method}", None) if client.async_impl else None
        if coroutine is None:
            return getattr(client, method)(path, *arguments, **options)
        return sync(client.loop, coroutine, path, *arguments, timeout=self._timeout_s, **options)

    def _open(self) -> tuple[Any, str]:
        """The client, and the path that the URL has there."""
        import fsspec

        with self._opening:
            if self._opened is None:
                # So it is another client than that of sources, which remembers what it lists.
                apart = self._protocol in OBJECT_STORES
                options = {"use_listings_cache": False} if apart else {}
                client, path = fsspec.url_to_fs(self.url, **options)
                self._opened = client, path.rstrip("/")
            return self._opened

    def _path(self, name: str) -> str:
        return f"{self._open()[1]}/{name}"

    def _failed(self, error: BaseException) -> StoreUnavailable:
        if isinstance(error, TimeoutError):
            words = f"no answer from {self.url} within {self._timeout_s:g} s"
        else:
            words = f"{self.url} {'is away' if is_away(error) else 'failed'}: {in_words(error)}"
        return unavailable(error, words, self._remedy)
