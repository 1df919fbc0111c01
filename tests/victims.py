"""Processes that do Headwater's work and are killed at it.

One process imports what the work needs and then forks a victim for each order, for importing takes
longer than what most of them live. Run by itself, it reads orders from standard input, one JSON
object a line, and answers each when its victim has ended.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self

When = Literal["before", "after"]


class Step(NamedTuple):
    """A moment in a victim's work."""

    when: When
    what: str
    """`commit` and how a statement of the transaction begins, or a class and its method."""
    n: int = 1
    """Which time that it comes to this, 1-based."""


STEPS: Final = {
    "run started": Step("after", "commit INSERT INTO run"),
    "source listed": Step("after", "commit UPDATE source SET last_check_at"),
    "text stored": Step("after", "TextStore.put", 2),
    "embeddings about to be cached": Step("before", "commit INSERT INTO embedding"),
    "embeddings cached": Step("after", "commit INSERT INTO embedding"),
    "members given up": Step("after", "commit UPDATE document SET parser_key"),
    "intents about to be written": Step("before", "commit INSERT INTO intent"),
    "intents written": Step("after", "commit INSERT INTO intent"),
    "vectors about to be written": Step("before", "VectorStore.upsert"),
    "vectors written": Step("after", "VectorStore.upsert"),
    "vectors verified": Step("after", "VectorStore.missing"),
    "about to flip": Step("before", "commit INSERT INTO version"),
    "flipped": Step("after", "commit INSERT INTO version"),
    "changed vectors written": Step("after", "VectorStore.upsert", 2),
    "about to refresh": Step("before", "VectorStore.refresh"),
    "refreshed": Step("after", "VectorStore.refresh"),
    "about to delete": Step("before", "VectorStore.delete"),
    "deleted": Step("after", "VectorStore.delete"),
    "intents about to be cleared": Step("before", "commit DELETE FROM intent", 2),
    "intents cleared": Step("after", "commit DELETE FROM intent", 2),
    "failures about to be recorded": Step("before", "commit INSERT INTO quarantine"),
    "failures recorded": Step("after", "commit INSERT INTO quarantine"),
    "about to retire": Step("before", "commit UPDATE document SET removed_at"),
    "retired": Step("after", "commit UPDATE document SET removed_at"),
    "run about to end": Step("before", "commit UPDATE run SET state=?, ended_at=?, error"),
    "run ended": Step("after", "commit UPDATE run SET state=?, ended_at=?, error"),
}
"""Between any two steps of a run."""

STEPS_OF_BUILDING: Final = {
    "generation entered": Step("after", "commit INSERT INTO generation"),
    "embeddings cached": Step("after", "commit INSERT INTO embedding"),
    "intents written": Step("after", "commit INSERT INTO intent"),
    "vectors written": Step("after", "VectorStore.upsert"),
    "about to be noted": Step("before", "commit UPDATE generation SET built_up_to"),
    "progress noted": Step("after", "commit UPDATE generation SET built_up_to"),
    "about to be ready": Step("before", "commit UPDATE generation SET state"),
    "ready": Step("after", "commit UPDATE generation SET state"),
}
STEPS_OF_REPAIRING: Final = {
    "intents written": Step("after", "commit INSERT INTO intent"),
    "collection dropped": Step("after", "VectorStore.drop"),
    "hidden vectors deleted": Step("after", "VectorStore.delete"),
    "vectors written": Step("after", "VectorStore.upsert"),
    "orphans deleted": Step("after", "VectorStore.delete", 2),
}
STEPS_OF_DROPPING: Final = {
    "chunks retired": Step("after", "commit UPDATE generation SET state"),
    "collection dropped": Step("after", "VectorStore.drop"),
}


class Ended(NamedTuple):
    """How a victim ended."""

    killed: bool
    seconds: float
    answer: Any
    """What its work returned; None if it was killed."""


class Victims:
    """A process that makes victims, and the one way to them; closed by the end of its context."""

    def __init__(self, folder: Path) -> None:
        """`folder` takes what they answer."""
        self._folder = folder
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.victims"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        return self

    def __exit__(self, *how: object) -> None:
        self._process.communicate()

    def work(
        self,
        action: str,
        *,
        kill_at: Step | None = None,
        kill_after_s: float | None = None,
        **arguments: Any,
    ) -> Ended:
        """Have a new process do something, and kill it at a step or after a time."""
        answer = self._folder / f"answer-{next(self._numbers)}.json"
        order = {
            "action": action,
            "arguments": arguments,
            "kill_at": kill_at,
            "kill_after_s": kill_after_s,
            "answer": str(answer),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        ended = json.loads(self._process.stdout.readline())
        killed = ended["status"] == -signal.SIGKILL
        assert killed or ended["status"] == 0, ended
        return Ended(
            killed, ended["seconds"], None if killed else json.loads(answer.read_text("utf-8"))
        )


def main() -> None:
    """Make a victim for each line of standard input."""
    _import_all()
    answers = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        ended = _sacrifice(json.loads(line))
        os.write(answers, json.dumps(ended).encode() + b"\n")


def _import_all() -> None:
    import flows.generations
    import flows.ingest
    import flows.upkeep
    import flows.wiring
    from checks.contract import Contract
    from tests.fakes import FakeEmbedder

    Contract(window=256).load()
    flows.wiring.Embedder = FakeEmbedder  # type: ignore[misc]
    flows.wiring.find_model = cache(flows.wiring.find_model)
    flows.wiring.find_model("all-MiniLM-L6-v2")
    import chromadb  # noqa: F401


def _sacrifice(order: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _live(order)
    if order["kill_after_s"] is not None:
        _kill_later(pid, order["kill_after_s"])
    _, status = os.waitpid(pid, 0)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - began,
    }


def _kill_later(pid: int, after_s: float) -> None:
    """Wait without reaping it: until then its number is nobody else's."""
    deadline = time.monotonic() + after_s
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
            return
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)


def _live(order: dict[str, Any]) -> None:
    status = 1
    try:
        if order["kill_at"] is not None:
            _die_at(Step(*order["kill_at"]))
        answer = _ACTIONS[order["action"]](**order["arguments"])
        Path(order["answer"]).write_text(json.dumps(answer), "utf-8")
        status = 0
    finally:
        if status:
            sys.excepthook(*sys.exc_info())
        os._exit(status)  # What this process holds of its parent is not to be tidied up.


def _ingest(source: str, state: str, **options: Any) -> dict[str, Any]:
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows.ingest import ingest

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        return ingest(source, state=state, **options)


def _build(config: str, state: str) -> dict[str, Any]:
    from flows.generations import build_generation
    from flows.settings import load_settings

    return build_generation(load_settings(Path(config), Path(state)))


def _drop(generation: str, state: str) -> str:
    from flows.generations import drop_generation
    from flows.settings import load_settings

    return drop_generation(load_settings(state_dir=Path(state)), generation)


def _reconcile(state: str) -> list[dict[str, Any]]:
    from flows.settings import load_settings
    from flows.upkeep import reconcile_index

    settings = load_settings(state_dir=Path(state))
    return [one.as_json() for one in reconcile_index(settings, repair=True)]


_ACTIONS: Final[dict[str, Callable[..., Any]]] = {
    "ingest": _ingest,
    "build": _build,
    "drop": _drop,
    "reconcile": _reconcile,
}


def _die_at(step: Step) -> None:
    """Have this process kill itself when it comes to a step."""
    from index.texts import TextStore
    from index.vectors import VectorStore

    fuse = _Fuse(step.n)
    if step.what.startswith("commit "):
        _die_at_commit(step.what.removeprefix("commit "), step.when, fuse)
        return
    of, method = step.what.split(".")
    owner = {"TextStore": TextStore, "VectorStore": VectorStore}[of]
    real = getattr(owner, method)

    def mined(*arguments: Any, **options: Any) -> Any:
        if not _does_something(arguments):
            return real(*arguments, **options)
        if step.when == "before":
            fuse.burn()
        answer = real(*arguments, **options)
        if step.when == "after":
            fuse.burn()
        return answer

    setattr(owner, method, mined)


def _does_something(arguments: tuple[Any, ...]) -> bool:
    """Whether a store was given anything to work on."""
    return bool(arguments[-1])


def _die_at_commit(statement: str, when: When, fuse: "_Fuse") -> None:
    import sqlalchemy as sa

    from index.catalog.database import Catalog

    real, seen = Catalog.writing, threading.local()

    @contextmanager
    def writing(self: Catalog) -> Iterator[Any]:
        seen.matches = False
        with real(self) as connection:
            yield connection
            if seen.matches and when == "before":
                fuse.burn()
        if seen.matches and when == "after":
            fuse.burn()

    def note(connection: Any, cursor: Any, executed: str, *rest: object) -> None:
        if executed.startswith(statement):
            seen.matches = True

    Catalog.writing = writing  # type: ignore[method-assign]
    sa.event.listen(sa.Engine, "before_cursor_execute", note)


class _Fuse:
    """Kills this process when it has burned down."""

    def __init__(self, n: int) -> None:
        self._n_left = n
        self._lock = threading.Lock()

    def burn(self) -> None:
        with self._lock:
            self._n_left -= 1
            if self._n_left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()


def some_moment(rng: random.Random, usual_s: float) -> float:
    """Seconds after which to kill a victim that lives so long if it is left alone."""
    return rng.uniform(0.0, usual_s)


if __name__ == "__main__":
    main()
