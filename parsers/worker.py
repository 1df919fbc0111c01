"""The process in which documents are parsed: `python -m parsers.worker FOLDER`, by the sandbox.

It reads requests from standard input until that is closed, and answers on standard output. It is
alone: no network, no files written outside its own folder, no other programs, and it ends itself
when the process that started it is gone.
"""

import faulthandler
import os
import resource
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from parsers import language, registry
from parsers.contract import ParseTask
from parsers.document import ParsedDocument, to_json
from parsers.errors import EmptyFile, ParseError
from parsers.frames import (
    FAILED,
    FAILURE,
    FOLDER_PREFIX,
    LOADED,
    MEMBER,
    MEMBER_HEAD,
    PARSED,
    REQUEST,
    ROUTED,
    STARTED,
    Failure,
    MemberHead,
    Request,
    read_frame,
    write_frame,
)
from parsers.media_type import route
from parsers.reasons import Reason

_MIB: Final = 1024 * 1024
_FORBIDDEN: Final = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.system",
    "os.fork",
    "os.forkpty",
)
"""Audit events of what no parser may do. They stop libraries, not an attacker with native code."""


class Forbidden(PermissionError):
    """A parser tried to leave its worker."""


def main() -> None:
    folder = _own_folder(sys.argv[1:])
    requests, replies = _take_channels()
    threading.Thread(target=_end_with_parent, args=(os.getppid(), folder), daemon=True).start()
    threading.Thread(target=language.load, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable((folder / "crash").open("wb"))
    sys.addaudithook(_confine_to(str(folder.resolve())))
    write_frame(replies, STARTED)
    while True:
        try:
            request = REQUEST.validate_json(read_frame(requests))
            data = read_frame(requests)
        except EOFError:
            shutil.rmtree(folder, ignore_errors=True)  # Whoever started us is gone.
            return
        _answer(request, data, replies)


def _own_folder(arguments: Sequence[str]) -> Path:
    """The folder that the sandbox has made for this process, which deletes it in the end.

    No other is taken: whoever starts this by hand must not lose the folder that he is in.
    """
    folder = Path.cwd()
    named = Path(*arguments) if len(arguments) == 1 else None
    if named is None or not named.name.startswith(FOLDER_PREFIX) or named.resolve() != folder:
        raise SystemExit("parsers.worker is started by the sandbox, in a folder of its own")
    return folder


def _take_channels() -> tuple[BinaryIO, BinaryIO]:
    """Keep the two pipes for frames, so that what a library prints goes nowhere."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return requests, replies


def _end_with_parent(parent: int, folder: Path) -> NoReturn:
    while os.getppid() == parent:
        time.sleep(0.5)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)
    raise SystemExit


def _confine_to(folder: str) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that forbids the network, other programs, and writing elsewhere."""
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in _FORBIDDEN:
            raise Forbidden(event)
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & writing and isinstance(path, str | bytes):
                target = os.path.realpath(os.fsdecode(path))
                if target not in (os.devnull, folder) and not target.startswith(folder + os.sep):
                    raise Forbidden("open for writing")

    return hook


def _answer(request: Request, data: bytes, replies: BinaryIO) -> None:
    media_type = parser = ""
    try:
        _limit_cpu(request.cpu_s)
        if not data:
            raise EmptyFile("the file has no bytes")
        media_type = request.read_as or route(data, request.name, registry.READABLE)
        write_frame(replies, ROUTED, media_type.encode())
        module = registry.load(media_type)
        parser = f"{module.NAME} {module.VERSION}"
        language.load()
        write_frame(replies, LOADED, parser.encode())
        _limit_cpu(request.cpu_s)
        _limit_memory(request.memory_mib)
        task = ParseTask(data, media_type, request.options, request.passwords, request.name)
        document = module.parse(task)
        for member in document.members:
            head = MemberHead(member.name, member.code, member.detail, member.skip_rule)
            write_frame(replies, MEMBER, MEMBER_HEAD.dump_json(head))
            write_frame(replies, member.data)
        write_frame(replies, PARSED, to_json(_with_language(document)))
    except ParseError as error:
        _fail(replies, Failure(error.code, error.detail, media_type, parser, _frames(error)))
    except MemoryError as error:
        detail = f"needed more than {request.memory_mib} MiB"
        _fail(replies, Failure(Reason.PARSE_MEMORY, detail, media_type, parser, _frames(error)))
        os._exit(0)  # What is left of the heap may be in pieces: a fresh worker takes over.
    except Exception as error:  # noqa: BLE001
        detail = f"{type(error).__name__} in the parser"
        _fail(replies, Failure(Reason.PARSER_CRASH, detail, media_type, parser, _frames(error)))
    finally:
        _lift_memory_limit()


def _with_language(document: ParsedDocument) -> ParsedDocument:
    if document.language != language.UNDETERMINED:
        return document
    return replace(document, language=language.identify(document.text))


def _fail(replies: BinaryIO, failure: Failure) -> None:
    _lift_memory_limit()
    write_frame(replies, FAILED, FAILURE.dump_json(failure))


def _frames(error: BaseException) -> str:
    """Where it came from and what kind it is, its cause before it; no messages."""
    before = _frames(error.__cause__) + "\n" if error.__cause__ else ""
    return before + "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__


def _limit_cpu(seconds: float) -> None:
    """From now on; the kernel ends the process with SIGXCPU."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 1, hard))


def _limit_memory(mib: int) -> None:
    """On top of what the imports took. Where it is not kept (macOS), the sandbox watches alone."""
    _set_address_space(_address_space() + mib * _MIB)


def _lift_memory_limit() -> None:
    _set_address_space(resource.RLIM_INFINITY)


def _set_address_space(n_bytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (n_bytes, hard))


def _address_space() -> int:
    if sys.platform != "linux":
        return 0
    n_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return n_pages * resource.getpagesize()


if __name__ == "__main__":
    main()
