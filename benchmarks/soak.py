"""What `headwater up` costs as time goes by: memory of each part, Prefect's database, runs.

    python benchmarks/soak.py --minutes 8 --every 20

A source of small documents, one of which changes before each run, is followed by a schedule. Prints
a row for each minute: resident memory in MiB at its end (of flow runs: the most that was seen),
the size of Prefect's database, and of the runs that ended in it: how many, how many of them not
well, how late they began and how long they took, medians in seconds.
"""

import argparse
import json
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

COMMAND = (sys.executable, "-c", "from flows.cli import main; main()")
COLUMNS = (
    "minute", "prefect", "vectors", "worker", "supervisor", "flow run", "database", "runs",
    "not well", "late", "took",
)  # fmt: skip
MIB = 2**20


@dataclass
class Minute:
    """What was seen in a minute."""

    memory: dict[str, float] = field(default_factory=dict)
    database: float = 0.0
    flow_run: float = 0.0


def fill(folder: Path, n_documents: int) -> None:
    folder.mkdir()
    for number in range(n_documents):
        lines = [f"Rule {number}.{i} says how leave {i} is taken.\n" for i in range(20)]
        (folder / f"{number:04}.md").write_text(f"# Rule {number}\n\n" + "\n".join(lines))


def settings(folder: Path, every_s: int) -> Path:
    file = folder / "headwater.toml"
    file.write_text(
        'state_dir = "state"\n[schedules]\nfreshness = "1m"\n[dashboard]\nport = 0\n'
        f'[[sources]]\nname = "soak"\nuri = "docs"\nschedule = "{every_s}s"\n'
    )
    return file


def resident(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss) / MIB
    except psutil.NoSuchProcess:
        return 0.0


def flow_runs(worker: int) -> float:
    try:
        children = psutil.Process(worker).children(recursive=True)
        return sum(resident(child.pid) for child in children)
    except psutil.NoSuchProcess:
        return 0.0


def watch(up: dict[str, object], folder: Path, minutes: int, every_s: int) -> Iterator[Minute]:
    pids: dict[str, int] = up["processes"]  # type: ignore[assignment]
    began, changed = time.monotonic(), 0.0
    for number in range(1, minutes + 1):
        seen = Minute()
        while time.monotonic() < began + 60 * number:
            seen.flow_run = max(seen.flow_run, flow_runs(pids["worker"]))
            if time.monotonic() - changed > every_s:
                changed = time.monotonic()
                (folder / "docs" / "0000.md").write_text(f"# Rule 0\n\nAs of {changed}.\n")
            time.sleep(0.5)
        seen.memory = {name: resident(pid) for name, pid in pids.items()}
        seen.memory["supervisor"] = resident(int(str(up["pid"])))
        seen.database = database_mib(folder / "state" / "prefect")
        yield seen


def database_mib(home: Path) -> float:
    return sum(file.stat().st_size for file in home.glob("prefect.db*")) / MIB


def ended(home: Path, since: datetime, until: datetime) -> list[tuple[str, float, float]]:
    """Of the runs over the source that ended between these: state, lateness and duration."""
    query = """select run.state_type, run.expected_start_time, run.start_time, run.end_time
        from flow_run run join deployment d on d.id = run.deployment_id where d.name = 'soak'
        and run.end_time > ? and run.end_time <= ? and run.state_type != 'CANCELLED'"""
    with sqlite3.connect(home / "prefect.db") as connection:
        rows = connection.execute(query, (f"{since:%F %T}", f"{until:%F %T}")).fetchall()
    return [
        (state, seconds(due, start), seconds(start, end))
        for state, due, start, end in rows
        if start
    ]


def seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def row(number: int, seen: Minute, runs: list[tuple[str, float, float]]) -> str:
    memory = [f"{seen.memory[name]:.0f}" for name in ("prefect", "vectors", "worker", "supervisor")]
    late, took = (
        f"{statistics.median(run[which] for run in runs):.1f}" if runs else "-" for which in (1, 2)
    )
    bad = sum(run[0] != "COMPLETED" for run in runs)
    cells = [number, *memory, f"{seen.flow_run:.0f}", f"{seen.database:.1f}", len(runs), bad]
    return f"| {' | '.join(map(str, [*cells, late, took]))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=8)
    parser.add_argument("--every", type=int, default=20, metavar="SECONDS")
    parser.add_argument("--documents", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fill(folder / "docs", chosen.documents)
        config = settings(folder, chosen.every)
        command = subprocess.Popen(
            [*COMMAND, "up", "--json", "--config", config], stdout=subprocess.PIPE, text=True
        )
        try:
            assert command.stdout is not None
            up = json.loads(command.stdout.readline())
            print(f"up after {up['seconds']} s\n\n| {' | '.join(COLUMNS)} |")
            print(f"|{' ---: |' * len(COLUMNS)}", flush=True)
            for number, seen in enumerate(watch(up, folder, chosen.minutes, chosen.every), 1):
                now = datetime.now(UTC)
                runs = ended(folder / "state" / "prefect", now - timedelta(minutes=1), now)
                print(row(number, seen, runs), flush=True)
        finally:
            command.send_signal(signal.SIGINT)
            command.wait()


if __name__ == "__main__":
    main()
