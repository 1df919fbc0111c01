"""Parsing in worker processes that are watched, limited and, if need be, killed and replaced.

A document can hang, take all memory, or crash its parser. Then its worker's process group is
killed, the document gets a `Failure` that says which, and the next document a new worker.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from parsers.contract import Limits, ParseOptions
from parsers.document import Member, ParsedDocument, from_json
from parsers.frames import (
    FAILED,
    FAILURE,
    LOADED,
    MEMBER,
    MEMBER_HEAD,
    PARSED,
    REQUEST,
    ROUTED,
    Failure,
    Request,
    read_frame,
    write_frame,
)
from parsers.reasons import Reason
from parsers.worker_process import SandboxBroken, WorkerProcess, start_worker

_MIB: Final = 1024 * 1024
_IMPORT_TIMEOUT_S: Final = 120.0
"""For Python and a parser's libraries on a busy machine: not the document's fault."""
_WATCH_INTERVAL_S: Final = 0.1
_PATIENCE_S: Final = 2.0
"""How long a document waits for a busy worker before it gets another: to start one takes a second
of the processor's time, in which many a small document is read.
"""


class Sandbox:
    """A pool of workers. Safe to use from several threads; close it, or use it as a context."""

    def __init__(
        self,
        limits: Limits,
        options: ParseOptions,
        *,
        n_workers: int,
        passwords: Callable[[str], tuple[str, ...]] = lambda name: (),
        read_as: Callable[[str], str] = lambda name: "",
    ) -> None:
        """Workers are started when they are needed, and no more than are.

        Args:
            limits: For each document.
            options: For every parser.
            n_workers: How many documents are parsed at the same time, at most.
            passwords: Of a document's name, what to try if it is encrypted.
            read_as: Of a document's name, the media type to take it for; empty if its bytes and its
                name are to say.
        """
        self.limits = limits
        self.options = options
        self._passwords = passwords
        self._read_as = read_as
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._n_workers = 0
        """Idle, busy, and about to start."""
        self._lock = threading.Lock()
        self._given_back = threading.Condition(self._lock)
        self._closed = threading.Event()
        self._callers = ThreadPoolExecutor(n_workers, thread_name_prefix="sandbox")
        self._watch = threading.Thread(target=self._watch_busy, name="sandbox-watch", daemon=True)
        self._watch.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        self.close()

    def parse_all(
        self, documents: Iterable[tuple[str, bytes]]
    ) -> Iterator[ParsedDocument | Failure]:
        """Read documents side by side.

        Args:
            documents: Name and bytes of each.

        Yields:
            The result of each, in the order of `documents`.

        Raises:
            SandboxBroken: A worker cannot start, or the sandbox was closed meanwhile.
        """
        return self._callers.map(lambda document: self.parse(*document), documents)

    def parse(self, name: str, data: bytes) -> ParsedDocument | Failure:
        """Read one document; blocks until it is done or has met a limit.

        Raises:
            SandboxBroken: See `parse_all`.
        """
        limits = self.limits
        request = Request(
            name,
            self.options,
            limits.cpu_s,
            limits.memory_mib,
            self._passwords(name),
            self._read_as(name),
        )
        header = REQUEST.dump_json(request)
        result = self._attempt(header, data)
        if result is None:
            # It was dead before it looked at the document: killed by someone while it was idle.
            result = self._attempt(header, data)
        if result is None:
            raise SandboxBroken("workers die before they look at a document")
        return result

    def close(self) -> None:
        """End all workers at once, busy or not, and remove their folders."""
        self._closed.set()
        with self._lock:
            workers = [*self._idle, *self._busy]
            self._idle.clear()
            self._given_back.notify_all()
        for worker in workers:
            worker.kill()
        self._callers.shutdown(cancel_futures=True)
        self._watch.join()
        for worker in workers:
            worker.bury()

    def worker_pids(self) -> list[int]:
        """The processes that live now, idle or busy."""
        with self._lock:
            return [worker.process.pid for worker in (*self._idle, *self._busy)]

    def _attempt(self, header: bytes, data: bytes) -> ParsedDocument | Failure | None:
        """The result; None if the worker ended before it looked at the document."""
        worker = self._take()
        heard: dict[bytes, str] = {}
        members: list[Member] = []
        try:
            write_frame(worker.requests, header)
            write_frame(worker.requests, data)
            while True:
                reply = read_frame(worker.replies)
                kind, body = reply[:1], reply[1:]
                if kind == FAILED:
                    return FAILURE.validate_json(body)
                if kind == PARSED:
                    return replace(from_json(body), members=tuple(members))
                if kind == MEMBER:
                    head = MEMBER_HEAD.validate_json(body)
                    content = read_frame(worker.replies)
                    members.append(
                        Member(head.name, content, head.code, head.detail, head.skip_rule)
                    )
                    continue
                heard[kind] = body.decode()
                seconds = _IMPORT_TIMEOUT_S if kind == ROUTED else self.limits.timeout_s
                self._extend(worker, seconds)
        except (EOFError, OSError):
            code, detail = self._post_mortem(worker)
            if not heard and not worker.ended_for:
                return None
            parser, media_type = heard.get(LOADED, ""), heard.get(ROUTED, "")
            return Failure(code, detail, media_type, parser, worker.crash())
        finally:
            self._give_back(worker)

    def _take(self) -> WorkerProcess:
        worker = self._take_idle() or self._start()
        with self._lock:
            worker.n_documents += 1
            worker.deadline = time.monotonic() + self.limits.timeout_s
            self._busy.add(worker)
        if self._closed.is_set():
            worker.kill()
        return worker

    def _take_idle(self) -> WorkerProcess | None:
        """One that has nothing to do, if not now then soon; None if another is to be started."""
        with self._given_back:
            if self._n_workers:
                self._given_back.wait_for(self._has_idle, timeout=_PATIENCE_S)
            if self._closed.is_set():
                raise SandboxBroken("the sandbox was closed")
            if self._idle:
                return self._idle.pop()
            self._n_workers += 1
            return None

    def _has_idle(self) -> bool:
        return bool(self._idle) or not self._n_workers or self._closed.is_set()

    def _start(self) -> WorkerProcess:
        try:
            return start_worker()
        except BaseException:
            self._one_less()
            raise

    def _one_less(self) -> None:
        with self._given_back:
            self._n_workers -= 1
            self._given_back.notify()

    def _extend(self, worker: WorkerProcess, seconds: float) -> None:
        with self._lock:
            worker.deadline = time.monotonic() + seconds

    def _give_back(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._busy.discard(worker)
            worker.deadline = None
            reusable = (
                worker.ended_for is None
                and not self._closed.is_set()
                and worker.process.poll() is None
                and worker.n_documents < self.limits.max_documents_per_worker
            )
            if reusable:
                self._idle.append(worker)
                self._given_back.notify()
        if not reusable:
            worker.kill()
            worker.bury()
            self._one_less()

    def _post_mortem(self, worker: WorkerProcess) -> tuple[Reason, str]:
        """Why a worker ended in the middle of a document."""
        worker.kill()
        status = worker.process.wait()
        if self._closed.is_set():
            raise SandboxBroken("the sandbox was closed")
        limits = self.limits
        if worker.ended_for is Reason.PARSE_TIMEOUT:
            return worker.ended_for, f"took longer than {limits.timeout_s:g} s"
        if worker.ended_for is Reason.PARSE_MEMORY:
            return worker.ended_for, f"needed more than {limits.memory_mib} MiB"
        if status == -signal.SIGXCPU:
            return Reason.PARSE_TIMEOUT, f"used more than {limits.cpu_s:g} s of processor time"
        ended = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        return Reason.PARSER_CRASH, f"its process ended with {ended}"

    def _watch_busy(self) -> None:
        while not self._closed.wait(_WATCH_INTERVAL_S):
            with self._lock:
                busy = list(self._busy)
            for worker in busy:
                memory = worker.resident_bytes()
                with self._lock:
                    worker.ended_for = worker.ended_for or self._limit_met(worker, memory)
                if worker.ended_for:
                    worker.kill()

    def _limit_met(self, worker: WorkerProcess, resident_bytes: int) -> Reason | None:
        if worker.deadline is None:
            return None  # It has answered meanwhile.
        if time.monotonic() > worker.deadline:
            return Reason.PARSE_TIMEOUT
        if resident_bytes > self.limits.memory_mib * _MIB:
            return Reason.PARSE_MEMORY
        return None
