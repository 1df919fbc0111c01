"""A process that parses documents, as the sandbox sees it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import psutil

from parsers.frames import FOLDER_PREFIX, read_frame
from parsers.reasons import Reason


class SandboxBroken(RuntimeError):
    """A worker did not start, or the sandbox was closed: no document is at fault."""


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """A worker process, its folder, and what is watched about it while it is busy."""

    process: subprocess.Popen[bytes]
    folder: Path
    n_documents: int = 0
    deadline: float | None = None
    """Seconds of `time.monotonic`; None while idle."""
    ended_for: Reason | None = None
    """The limit that it was killed for."""

    @property
    def requests(self) -> BinaryIO:
        return cast(BinaryIO, self.process.stdin)

    @property
    def replies(self) -> BinaryIO:
        return cast(BinaryIO, self.process.stdout)

    def resident_bytes(self) -> int:
        """Of the worker and all processes below it; 0 once it is gone."""
        try:
            process = psutil.Process(self.process.pid)
            family = [process, *process.children(recursive=True)]
            return sum(int(member.memory_info().rss) for member in family)
        except psutil.Error:
            return 0

    def crash(self) -> str:
        """The frames that the interpreter left when it was killed by a signal of its own doing."""
        with suppress(OSError):
            return (self.folder / "crash").read_text(encoding="utf-8", errors="replace")[:4000]
        return ""

    def kill(self) -> None:
        """End its whole process group, at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Take leave of a killed worker: its process, its pipes and its folder."""
        self.process.wait()
        for pipe in (self.requests, self.replies):
            with suppress(OSError):
                pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_worker() -> WorkerProcess:
    """Start a worker, and wait until it can take documents.

    Raises:
        SandboxBroken: It ended before it could; the message has what it said.
    """
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    environment = {
        # Nothing of ours: a parser has no business with the secrets in our environment.
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "parsers.worker", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    worker = WorkerProcess(process, folder)
    try:
        read_frame(worker.replies)
    except EOFError:
        said = (folder / "errors").read_text(encoding="utf-8", errors="replace")[-2000:]
        worker.bury()
        raise SandboxBroken(f"a worker did not start: {said}") from None
    return worker
