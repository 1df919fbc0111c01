"""The sandbox: no document hangs, eats the machine, or takes another one with it."""

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from parsers.contract import Limits, ParseOptions
from parsers.document import ParsedDocument
from parsers.frames import Failure
from parsers.reasons import Reason
from parsers.sandbox import Sandbox
from parsers.worker_process import SandboxBroken
from tests.documents import pdf, slow_pdf

SLOW = slow_pdf()
"""Takes its parser more than half a minute."""
FINE = b"Plain words, soon read."


def sandbox(n_workers: int = 1, **limits: float) -> Sandbox:
    return Sandbox(Limits(**limits), ParseOptions(), n_workers=n_workers)


def fails(result: ParsedDocument | Failure, code: Reason) -> Failure:
    assert isinstance(result, Failure), result
    assert result.code is code, result
    return result


def wait_for(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_worker_is_used_again():
    with sandbox() as box:
        box.parse("a.txt", FINE)
        first = box.worker_pids()
        box.parse("b.txt", FINE)
        assert box.worker_pids() == first


def test_results_come_in_the_order_of_the_documents():
    names = [f"{number}.txt" for number in range(12)]
    with sandbox(n_workers=3) as box:
        results = box.parse_all((name, f"This is {name}".encode()) for name in names)
        assert [result.text for result in results] == [f"This is {name}" for name in names]


def test_small_documents_share_a_worker(monkeypatch):
    monkeypatch.setattr("parsers.sandbox._PATIENCE_S", 60)  # A busy machine may take as long.
    with sandbox(n_workers=3) as box:
        assert len(list(box.parse_all((f"{number}.txt", FINE) for number in range(30)))) == 30
        assert len(box.worker_pids()) == 1


def test_what_waits_gets_a_worker_of_its_own():
    with sandbox(n_workers=2, timeout_s=60) as box:
        results = box.parse_all([("slow.pdf", SLOW), ("fine.txt", FINE)])
        wait_for(lambda: len(box.worker_pids()) == 2, 25)
        box.close()
        with pytest.raises(SandboxBroken):
            list(results)


def test_a_document_that_takes_too_long_is_killed_and_named():
    with sandbox(timeout_s=1) as box:
        started = time.monotonic()
        failure = fails(box.parse("slow.pdf", SLOW), Reason.PARSE_TIMEOUT)
        assert time.monotonic() - started < 1 + 5
        assert failure.parser.startswith("pdf ")
        assert failure.media_type == "application/pdf"
        assert isinstance(box.parse("fine.txt", FINE), ParsedDocument)


def test_a_document_that_takes_too_much_processor_time_is_killed():
    with sandbox(timeout_s=60, cpu_s=1) as box:
        failure = fails(box.parse("slow.pdf", SLOW), Reason.PARSE_TIMEOUT)
        assert "processor" in failure.detail


def test_a_document_that_takes_too_much_memory_is_stopped():
    with sandbox(memory_mib=256) as box:
        huge = b"word " * (60 * 1024 * 1024)
        fails(box.parse("huge.txt", huge), Reason.PARSE_MEMORY)
        assert isinstance(box.parse("fine.txt", FINE), ParsedDocument)


@pytest.mark.parametrize("with_signal", [signal.SIGSEGV, signal.SIGKILL])
def test_a_parser_that_crashes_is_named_and_replaced(with_signal):
    with sandbox(timeout_s=30) as box:
        box.parse("fine.txt", FINE)
        (pid,) = box.worker_pids()
        threading.Timer(0.5, os.kill, (pid, with_signal)).start()
        failure = fails(box.parse("slow.pdf", SLOW), Reason.PARSER_CRASH)
        assert with_signal.name in failure.detail
        assert isinstance(box.parse("fine.txt", FINE), ParsedDocument)
        assert box.worker_pids() != [pid]


def test_the_frames_of_a_crash_are_kept():
    with sandbox(timeout_s=30) as box:
        box.parse("fine.pdf", pdf("Words."))  # So that it has nothing to import any more.
        (pid,) = box.worker_pids()
        threading.Timer(0.5, os.kill, (pid, signal.SIGSEGV)).start()
        failure = fails(box.parse("slow.pdf", SLOW), Reason.PARSER_CRASH)
        assert "pypdf" in failure.traceback


def test_a_worker_killed_while_idle_costs_no_document():
    with sandbox() as box:
        box.parse("a.txt", FINE)
        (pid,) = box.worker_pids()
        os.kill(pid, signal.SIGKILL)
        assert isinstance(box.parse("b.txt", FINE), ParsedDocument)


def test_a_slow_document_does_not_hold_up_the_others():
    with sandbox(n_workers=2, timeout_s=4) as box:
        results = box.parse_all([("slow.pdf", SLOW), *((f"{n}.txt", FINE) for n in range(20))])
        started = time.monotonic()
        all_results = list(results)
        assert time.monotonic() - started < 4 + 5
    fails(all_results[0], Reason.PARSE_TIMEOUT)
    assert all(isinstance(result, ParsedDocument) for result in all_results[1:])


def test_a_worker_is_replaced_after_its_share_of_documents():
    with sandbox(max_documents_per_worker=2) as box:
        box.parse("a.txt", FINE)
        first = box.worker_pids()
        box.parse("b.txt", FINE)
        box.parse("c.txt", FINE)
        assert box.worker_pids() != first


def test_closing_leaves_no_process_and_no_folder_behind():
    with sandbox(n_workers=2) as box:
        list(box.parse_all([("a.txt", FINE), ("b.txt", FINE)]))
        pids = box.worker_pids()
        folders = [Path(psutil.Process(pid).cwd()) for pid in pids]
        assert all(folder.is_dir() for folder in folders)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not any(folder.exists() for folder in folders)


def test_closing_ends_a_document_that_is_being_parsed():
    box = sandbox(timeout_s=60)
    outcome: list[BaseException] = []

    def parse() -> None:
        try:
            box.parse("slow.pdf", SLOW)
        except SandboxBroken as error:
            outcome.append(error)

    caller = threading.Thread(target=parse)
    caller.start()
    wait_for(box.worker_pids)
    time.sleep(0.5)
    box.close()
    caller.join(10)
    assert len(outcome) == 1


def test_a_worker_ends_when_its_parent_is_killed():
    """The parent is a process of its own here, so that it can be killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        box = sandbox()
        box.parse("a.txt", FINE)
        os.write(writer, str(box.worker_pids()[0]).encode())
        time.sleep(60)
        os._exit(0)
    worker = psutil.Process(int(os.read(reader, 20)))
    folder = Path(worker.cwd())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    wait_for(lambda: not folder.exists())


def test_a_secret_in_the_environment_does_not_reach_a_worker(monkeypatch):
    monkeypatch.setenv("HEADWATER_TEST_SECRET", "s3cret")
    with sandbox() as box:
        box.parse("a.txt", FINE)
        (pid,) = box.worker_pids()
        assert "HEADWATER_TEST_SECRET" not in psutil.Process(pid).environ()


def test_an_empty_file_is_named():
    with sandbox() as box:
        fails(box.parse("a.txt", b""), Reason.EMPTY_FILE)


def test_the_language_is_told():
    with sandbox() as box:
        german = box.parse("a.txt", b"Die Katze sitzt auf dem Tisch und trinkt Milch.")
        assert isinstance(german, ParsedDocument)
        assert german.language == "de"
        number = box.parse("b.txt", b"42")
        assert isinstance(number, ParsedDocument)
        assert number.language == "und"
