"""Kill runs over a folder that never stops changing, and see whether the index ends up right.

    python -m benchmarks.kills --kills 50 [--seed N]

Half of the kills come between two steps, one after the other, and half at a moment drawn at
random. The exit status is 1 if what is left differs from a fresh ingest of the same folder.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flows.wiring
from flows.orchestration.runtime import prefect_server
from flows.settings import load_settings
from flows.wiring import open_stores
from tests.changing_folder import ChangingFolder
from tests.fakes import FakeEmbedder
from tests.memory import Memory, recall
from tests.victims import STEPS, Victims, some_moment


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill runs, and look at what is left.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    asked = parser.parse_args()
    flows.wiring.Embedder = FakeEmbedder  # type: ignore[misc]
    with tempfile.TemporaryDirectory(prefix="headwater-kills-") as name:
        home = Path(name)
        (home / "docs").mkdir()
        with prefect_server(home), Victims(home) as victims:
            return _kill(victims, home, asked.kills, random.Random(asked.seed), asked.seed)


def _kill(victims: Victims, home: Path, n_kills: int, rng: random.Random, seed: int) -> int:
    documents = ChangingFolder(home / "docs", rng)
    usual_s = _ingest(victims, home, "state").seconds
    n_killed = n_runs = 0
    for how in _ways(rng, usual_s):
        if n_killed == n_kills:
            break
        documents.change()
        n_killed += _ingest(victims, home, "state", **how).killed
        n_runs += 1
        print(f"{n_killed} killed", end="\r", file=sys.stderr)
    documents.settle()
    report = _ingest(victims, home, "state").answer
    _ingest(victims, home, "fresh")
    same = _remembered(home / "state") == _remembered(home / "fresh")
    print(
        f"seed {seed}: {n_killed} of {n_runs} runs killed; took over {len(report['took_over'])}; "
        f"balanced: {report['balanced']}; equal to a fresh ingest: {same}"
    )
    return 0 if same and report["balanced"] else 1


def _ways(rng: random.Random, usual_s: float) -> Iterator[dict[str, Any]]:
    """How to kill, without end."""
    for step in itertools.cycle(STEPS.values()):
        yield {"kill_at": step}
        yield {"kill_after_s": some_moment(rng, usual_s)}


def _ingest(victims: Victims, home: Path, state: str, **how: Any) -> Any:
    place = {"source": str(home / "docs"), "state": str(home / state), "allow_removal": True}
    return victims.work("ingest", **place, **how)


def _remembered(state: Path) -> Memory:
    with open_stores(load_settings(state_dir=state)) as index:
        return recall(index)


if __name__ == "__main__":
    sys.exit(main())
