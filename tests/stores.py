"""Remote sources on loopback that count what they are asked: an S3 and a web server."""

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET: Final = "handbook"
KEY: Final = "AKIAxyzzy"
"""What lets one in, and must not be shown."""


class _Counted(ABC):
    """A server of which one thread of this process takes care."""

    def __init__(self) -> None:
        self.n_requests: Counter[str] = Counter()
        """By method."""
        self.refusals: dict[str, int] = {}
        """By the end of a path, the HTTP status that it gets."""
        self._server: Any = None
        self.port = 0

    def start(self) -> None:
        self._server = self._make(self.port)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refusal(self, method: str, path: str) -> int | None:
        """Count a request; the status to refuse it with, if it is to be refused."""
        self.n_requests[method] += 1
        path = path.partition("?")[0]
        return next((code for end, code in self.refusals.items() if path.endswith(end)), None)

    @abstractmethod
    def _make(self, port: int) -> Any: ...


class WebFolder(_Counted):
    """A folder as `python -m http.server` shows it, with links that sort it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def _make(self, port: int) -> Any:
        counted = self

        class Requests(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(super().do_GET)

            def do_HEAD(self) -> None:
                self._answer(super().do_HEAD)

            def _answer(self, answer: Callable[[], None]) -> None:
                if code := counted.refusal(self.command, self.path):
                    self.send_error(code)
                else:
                    answer()

            def log_message(self, *words: object) -> None: ...

        return ThreadingHTTPServer(
            ("127.0.0.1", port), partial(Requests, directory=str(self._folder))
        )


class ObjectStore(_Counted):
    """An S3 that keeps its objects in memory, also while it does not listen."""

    def _make(self, port: int) -> Any:
        from moto.server import DomainDispatcherApplication, create_backend_app

        store = DomainDispatcherApplication(create_backend_app)

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            if code := self.refusal(environ["REQUEST_METHOD"], path):
                start_response(f"{code} refused", [])
                return [b""]
            found: Iterable[bytes] = store(environ, start_response)
            return found

        class Silent(WSGIRequestHandler):
            def log(self, *words: object) -> None: ...

        return make_server("127.0.0.1", port, answer, threaded=True, request_handler=Silent)


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """An S3 with an empty bucket, which all clients use of this process and of those it starts."""
    from moto.s3.models import s3_backends
    from s3fs import S3FileSystem

    server = ObjectStore()
    server.start()
    given = {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_MAX_ATTEMPTS": "1",
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in given.items():
            environment.setenv(name, value)
        S3FileSystem.clear_instance_cache()
        s3_backends.reset()
        s3_client().create_bucket(Bucket=BUCKET)
        yield server
    server.stop()


def s3_client() -> Any:
    """One that goes around the product."""
    import boto3

    return boto3.client("s3")


def objects() -> dict[str, bytes]:
    """All that the bucket has."""
    client = s3_client()
    listed = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    keys = [one["Key"] for one in listed]
    return {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
