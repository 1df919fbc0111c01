"""Reprocessing that was asked for in the dashboard: one at a time, in a process of its own."""

import json
import subprocess
import sys
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final

from flows.dashboard.order import Order

_KEPT: Final = 50
_GRACE_S: Final = 20


class JobState(StrEnum):
    WAITING = "waiting"
    """For Prefect to start, and for another process that writes."""
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of one entry."""

    id: str
    uri: str
    before: str
    """Its reason before."""
    state: str
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """Reprocessing, as far as it has come."""

    id: str
    who: str
    started_at: datetime
    n_entries: int
    parser: str | None
    with_password: bool
    state: JobState = JobState.WAITING
    n_planned: int = 0
    n_done: int = 0
    ended_at: datetime | None = None
    error: str | None = None
    run_ids: Sequence[str] = ()
    results: Sequence[JobResult] = field(default=())

    @property
    def is_over(self) -> bool:
        return self.state in (JobState.ENDED, JobState.FAILED)

    @property
    def n_resolved(self) -> int:
        return sum(one.state == "resolved" for one in self.results)


class JobRunning(Exception):
    """Another one has not ended."""

    def __init__(self, job: Job) -> None:
        super().__init__("documents are being reprocessed: wait until that has ended")
        self.job = job


class Jobs:
    """The jobs of this process, of which one goes on at a time. Safe to use from threads."""

    def __init__(
        self, command: Sequence[str] = (sys.executable, "-m", "flows.dashboard.retrying")
    ) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None

    def start(self, order: Order) -> Job:
        """Begin to reprocess.

        Raises:
            JobRunning: Another job has not ended.
        """
        with self._lock:
            if going_on := self._going_on():
                raise JobRunning(going_on)
            job = Job(
                id=uuid.uuid4().hex[:12],
                who=order.who,
                started_at=datetime.now(UTC),
                n_entries=len(order.ids),
                parser=order.parser,
                with_password=order.password is not None,
            )
            process = self._started(order)
            self._jobs[job.id] = job
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)
            watch = threading.Thread(
                target=self._watch, args=(job.id, process), daemon=True, name="reprocess"
            )
            self._process, self._watcher = process, watch
        watch.start()
        return job

    def find(self, job_id: str) -> Job | None:
        with self._lock:
            return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Of this process, the newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def running(self) -> Job | None:
        """The one that has not ended."""
        with self._lock:
            return self._going_on()

    def close(self) -> None:
        """End what goes on, as Ctrl-C does, and by force if that takes long."""
        process, watcher = self._process, self._watcher
        if process is None or watcher is None:
            return
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
        watcher.join(_GRACE_S)
        if process.poll() is None:
            process.kill()

    def _going_on(self) -> Job | None:
        return next((job for job in self._jobs.values() if not job.is_over), None)

    def _started(self, order: Order) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            list(self._command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for the dashboard, which then ends what it started.
            start_new_session=True,
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # It has ended; whoever watches it sees how.
            process.stdin.write(order.as_line())
            process.stdin.flush()
        return process

    def _watch(self, job_id: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._change(job_id, partial(_told, said=json.loads(line)))
        returncode = process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
        self._change(job_id, partial(_over, returncode=returncode))

    def _change(self, job_id: str, change: Callable[[Job], Job]) -> None:
        with self._lock:
            self._jobs[job_id] = change(self._jobs[job_id])


def _told(job: Job, said: Mapping[str, Any]) -> Job:
    """A job after its process said something."""
    if "planned" in said:
        return replace(job, state=JobState.RUNNING, n_planned=job.n_planned + said["planned"])
    if "done" in said:
        return replace(job, n_done=job.n_done + said["done"])
    if "error" in said:
        return replace(job, error=said["error"])
    if "reports" in said:
        reports = said["reports"]
        names = ("id", "uri", "before", "state", "code", "detail")
        results = [
            JobResult(**{name: entry[name] for name in names})
            for report in reports
            for entry in report["entries"]
        ]
        run_ids = [report["run_id"] for report in reports]
        return replace(job, run_ids=run_ids, results=results)
    return job


def _over(job: Job, returncode: int) -> Job:
    now = datetime.now(UTC)
    if job.error is None and returncode == 0:
        return replace(job, state=JobState.ENDED, ended_at=now)
    error = job.error or f"it ended with status {returncode}: the log of the dashboard says why"
    return replace(job, state=JobState.FAILED, ended_at=now, error=error)
