"""The commands as processes of their own, with the real model and a real Prefect server."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flows.settings import load_settings
from flows.wiring import open_catalog, open_stores
from index.catalog.chunks import count_chunks
from index.catalog.generations import live_generation
from index.chunking import ChunkerSettings, chunk_document
from index.embedding import DEFAULT_MODEL, Embedder, find_model
from index.errors import StoreUnavailable
from index.identity import chunk_ids, document_id
from parsers.contract import ParseOptions, ParseTask
from parsers.media_type import MARKDOWN
from parsers.web import markdown
from tests.conftest import ROOT
from tests.documents import word, zipped

pytestmark = pytest.mark.proof

N_DOCUMENTS = 96
BIN = Path(sys.prefix) / "bin"
MARKER = "xylographer quillwort bandicoot"
"""Words that only failing documents hold."""


def broken_word(words: str) -> bytes:
    """A Word document whose XML breaks off in the middle of `words`."""
    with zipfile.ZipFile(io.BytesIO(word(("Normal", words)))) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    body = parts["word/document.xml"]
    parts["word/document.xml"] = body[: body.index(words.encode()) + len(words) - 3]
    return zipped(**parts)


FAILING = {
    "marked.html": f"<html><body><!-- {MARKER} --></body></html>".encode(),
    "marked.pdf": f"%PDF-1.4 {MARKER}".encode(),
    "marked.docx": broken_word(MARKER),
}


def can_unshare() -> bool:
    """Whether this machine lets a test have a network and mounts of its own."""
    tried = subprocess.run(
        ["unshare", "-rnm", "true"], capture_output=True, check=False
    ) if shutil.which("unshare") else None  # fmt: skip
    return tried is not None and tried.returncode == 0


class Shell:
    """Runs commands in a folder, with a home of their own and, if it can be, no network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        scratch = folder.with_name(f"{folder.name}-scratch")
        scratch.mkdir()
        self.offline = can_unshare()
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        self.environment = kept | {
            "HOME": str(self.home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "TMPDIR": str(scratch),
        }

    def run(self, command: str, *, status: int = 0) -> subprocess.CompletedProcess[str]:
        words = ["sh", "-c", command]
        if self.offline:
            words = ["unshare", "-rn", "sh", "-c", f"ip link set lo up && {command}"]
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True,
            check=False, timeout=200,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, str, str]:
    """A new machine after `make run`: its shell, and what the command printed."""
    shell = Shell(tmp_path_factory.mktemp("machine"))
    for name in ("Makefile", "headwater.toml", "samples"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, shell.folder / name)
    for name, content in FAILING.items():
        (shell.folder / "samples" / name).write_bytes(content)
    installed = f"VENV={sys.prefix} -o {sys.prefix}/installed"
    done = shell.run(f"make run {installed}")
    return shell, done.stdout, done.stderr


def test_make_run_ends_with_the_balance_and_a_search_result(made):
    _, output, _ = made
    assert re.search(r"^balanced: run [0-9a-f]{32}$", output, re.MULTILINE)
    assert re.search(r"^1\. handbook/leave\.md", output, re.MULTILINE)
    assert re.search(r"^ +\d+    quarantined: \d+ corrupt, ", output, re.MULTILINE)


def test_a_run_says_that_prefect_starts_and_is_quiet_otherwise(made):
    _, _, errors = made
    lines = errors.splitlines()
    assert [line for line in lines if "Prefect" in line] == [lines[0]]
    assert "Traceback" not in errors
    counts = re.compile(r"[\d,]+ documents to read|[\d,]+ of [\d,]+ documents, .* embedded")
    assert lines[1] == "The first run also prepares the model for this machine."
    assert [line for line in lines[2:] if not counts.fullmatch(line)] == []


def test_everything_is_kept_in_the_state_directory(made):
    shell, _, _ = made
    assert list(shell.home.rglob("*")) == []
    kept = {path.name for path in shell.folder.iterdir()}
    assert kept == {"Makefile", "headwater.toml", "samples", "home", ".headwater"}


def test_it_needs_no_network(made):
    shell, _, _ = made
    if not shell.offline:
        pytest.skip("no network namespace can be made here: the commands ran with a network")
    reach_out = "import socket; socket.create_connection(('192.0.2.1', 80), 2)"
    assert "unreachable" in shell.run(f'{BIN}/python -c "{reach_out}"', status=1).stderr


def test_a_second_run_embeds_and_writes_nothing(made):
    shell, _, _ = made
    report = json.loads(shell.run("headwater ingest --json").stdout)
    assert report["documents"]["unchanged"] > 20
    assert report["chunks"]["embedded"] == report["chunks"]["written"] == 0
    assert report["balanced"] is True
    assert shell.run("headwater ingest --json --strict", status=3)


def test_no_word_of_a_document_that_failed_leaves_the_process(made):
    shell, output, errors = made
    listed = shell.run("headwater quarantine list --json").stdout
    entries = [one for one in map(json.loads, listed.splitlines()) if one["uri"] in FAILING]
    assert {one["uri"] for one in entries} == set(FAILING)
    told = output + errors + listed
    for entry in entries:
        told += shell.run(f"headwater quarantine show {entry['id']}").stdout
    logs = [path.read_bytes() for path in (shell.folder / ".headwater" / "prefect").rglob("*")
            if path.is_file()]  # fmt: skip
    for marked in MARKER.split():
        assert marked not in told
        assert not any(marked.encode() in log for log in logs)


def readme_commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("command", [c for c in readme_commands() if c.startswith("headwater")])
def test_the_commands_of_the_readme_work(made, command):
    shell, _, _ = made
    if "CHUNK_ID" in command:
        found = json.loads(shell.run('headwater search "leave" -k 1 --json').stdout)
        command = command.replace("CHUNK_ID", found["chunk_id"])
    elif "ID" in command:
        entry = json.loads(shell.run("headwater quarantine list --json").stdout.splitlines()[0])
        command = command.replace("ID", entry["id"])
    assert shell.run(command).stdout.strip()


def test_the_readme_names_no_other_commands_than_make_run_and_make_test():
    other = [command for command in readme_commands() if not command.startswith("headwater")]
    assert other == ["make run", "make test"]
    for command in other:
        done = subprocess.run(["make", "-n", "-C", ROOT, *command.split()[1:]], check=False)
        assert done.returncode == 0


@pytest.fixture
def start(prefect: None, folder: Path, state: Path) -> Iterator[Callable[[], subprocess.Popen]]:
    """Starts a run over a folder of many documents, in a process group of its own."""
    for number in range(N_DOCUMENTS):
        words = " ".join(
            f"Rule {number}.{i} says how leave number {i} is taken." for i in range(20)
        )
        (folder / f"{number:03}.md").write_text(f"# Rule {number}\n\n{words}\n")
    started = []

    def _start() -> "subprocess.Popen[str]":
        # As a shell starts a command in the foreground: Ctrl-C reaches the whole group.
        process = subprocess.Popen(
            [BIN / "headwater", "ingest", folder, "--state", state, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            # A shell that runs the tests in the background has them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        started.append(process)
        return process

    yield _start
    for process in started:
        process.kill()
        process.communicate()


def wait_for_chunks(state: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        if (state / "catalog.db").exists():
            with open_catalog(load_settings(state_dir=state)) as catalog:
                try:
                    with catalog.reading() as connection:
                        if count_chunks(connection, "docs"):
                            return
                except StoreUnavailable:
                    pass  # Its tables are being made.
        time.sleep(0.05)
    raise AssertionError("nothing was indexed")


def stored_ids(state: Path) -> set[str]:
    """Of the vector store, which must be what the catalog means it to be."""
    with open_stores(load_settings(state_dir=state)) as index:
        stored = set(index.vectors.contents(index.generation.collection))
        with index.catalog.reading() as connection:
            assert count_chunks(connection, "docs") == len(stored)
        return stored


def processes_of(state: Path) -> list[str]:
    """Processes that still work in or for a state directory."""
    found = []
    for process in psutil.process_iter(["cmdline", "name"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(state) in command:
            found.append(command)
    return found


def meant_ids(folder: Path, state: Path) -> set[str]:
    """Of the chunks of all documents, made without a run."""
    embedder = Embedder(find_model(DEFAULT_MODEL))
    with open_catalog(load_settings(state_dir=state)) as catalog, catalog.reading() as connection:
        generation = live_generation(connection)
    ids: set[str] = set()
    for path in folder.iterdir():
        parsed = markdown.parse(ParseTask(path.read_bytes(), MARKDOWN, ParseOptions()))
        chunks = chunk_document(parsed, embedder.counter, ChunkerSettings())
        texts = [chunk.text for chunk in chunks]
        ids.update(chunk_ids(document_id("docs", path.name), generation.id, texts))
    return ids


def test_a_run_that_is_killed_is_finished_by_the_next(start, folder, state):
    process = start()
    wait_for_chunks(state, process)
    process.kill()
    process.communicate()
    resumed = start()
    output, errors = resumed.communicate(timeout=150)
    report = json.loads(output)
    assert resumed.returncode == 0, errors
    assert report["balanced"] is True
    assert len(report["took_over"]) == 1
    assert 0 < report["documents"]["unchanged"] < N_DOCUMENTS
    assert report["documents"]["unchanged"] + report["documents"]["indexed"] == N_DOCUMENTS
    assert stored_ids(state) == meant_ids(folder, state)


def test_ctrl_c_ends_a_run_cleanly(start, state):
    process = start()
    wait_for_chunks(state, process)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert json.loads(output)["state"] == "interrupted"
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert processes_of(state) == []
