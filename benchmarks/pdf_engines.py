"""What PDFium and pypdf make of the same PDFs: time, memory, text.

    python benchmarks/pdf_engines.py FOLDER [--texts FOLDER] [--limit-s 30]

Reads every PDF below FOLDER with both engines, each in a process of its own, and prints a line for
each file and the sums. `alike` is the share of pairs of neighbouring words that both engines find;
`gold` the same against the text of that name (`report.pdf.txt`, `report.txt` or `report.md`) in the
folder given by `--texts`. `verdict` is that of the quality gate on the whole text.
"""

import argparse
import io
import logging
import multiprocessing
import re
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import pypdf
import pypdfium2

from checks.text_quality import judge_text
from parsers.document import clean_text

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one engine made of one file."""

    text: str
    seconds: float
    mib: float
    verdict: str
    """`ok`, a reason of the quality gate, `password`, `time`, `crash`, or a kind of error."""


def pdfium_text(data: bytes) -> str:
    with pypdfium2.PdfDocument(data) as document:
        return "\n\n".join(page.get_textpage().get_text_range() for page in document)


def pypdf_text(data: bytes) -> str:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = pypdf.PdfReader(io.BytesIO(data))
    return "\n\n".join(page.extract_text() for page in reader.pages)


ENGINES: dict[str, Callable[[bytes], str]] = {"pdfium": pdfium_text, "pypdf": pypdf_text}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=Path, help="the texts that should come out")
    parser.add_argument("--limit-s", type=float, default=30.0, help="for each file and engine")
    arguments = parser.parse_args()
    rows = []
    print(f"{'pdfium s':>9}{'pypdf s':>9}{'alike':>7}{'gold':>12}  verdicts, file")
    for path in sorted(arguments.folder.rglob("*.pdf")):
        data = path.read_bytes()
        readings = {
            name: measure(engine, data, arguments.limit_s) for name, engine in ENGINES.items()
        }
        rows.append(readings)
        gold = expected_text(path, arguments.folder, arguments.texts)
        print(line(readings, gold, str(path.relative_to(arguments.folder))), flush=True)
    print_sums(rows)


def measure(engine: Callable[[bytes], str], data: bytes, limit_s: float) -> Reading:
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=_read, args=(engine, data, sender))
    started = time.perf_counter()
    process.start()
    sender.close()
    try:
        reading = receiver.recv() if receiver.poll(limit_s) else None
    except EOFError:
        reading = Reading("", time.perf_counter() - started, 0, "crash")
    process.kill()
    process.join()
    return reading or Reading("", limit_s, 0, "time")


def _read(engine: Callable[[bytes], str], data: bytes, sender: Connection) -> None:
    before, started = _peak_mib(), time.perf_counter()
    text = ""
    try:
        text = clean_text(engine(data))
        verdict = str(judge_text(text) or "ok")
    except Exception as error:  # noqa: BLE001
        verdict = (
            "password" if "assword" in f"{type(error).__name__}{error}" else type(error).__name__
        )
    seconds = time.perf_counter() - started
    sender.send(Reading(text, seconds, _peak_mib() - before, verdict))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def alike(first: str, second: str) -> float:
    """Dice coefficient of the pairs of neighbouring words; 1 where both have none."""
    a, b = _pairs(first), _pairs(second)
    total = a.total() + b.total()
    return 2 * (a & b).total() / total if total else 1.0


def _pairs(text: str) -> Counter[tuple[str, str]]:
    words = _WORD.findall(text.casefold())
    return Counter(pairwise(words))


def expected_text(path: Path, folder: Path, texts: Path | None) -> str | None:
    if texts is None:
        return None
    beside = texts / path.relative_to(folder)
    candidates = [beside.with_name(beside.name + ".txt")]
    candidates += [beside.with_suffix(suffix) for suffix in (".txt", ".md")]
    return next((c.read_text("utf-8") for c in candidates if c.is_file()), None)


def line(readings: dict[str, Reading], gold: str | None, name: str) -> str:
    pdfium, other = readings["pdfium"], readings["pypdf"]
    golds = "" if gold is None else f"{alike(pdfium.text, gold):.2f} {alike(other.text, gold):.2f}"
    return (
        f"{pdfium.seconds:9.3f}{other.seconds:9.3f}{alike(pdfium.text, other.text):7.2f}"
        f"{golds:>12}  {pdfium.verdict} {other.verdict} {name}"
    )


def print_sums(rows: list[dict[str, Reading]]) -> None:
    for name in ENGINES:
        readings = [row[name] for row in rows]
        seconds = sorted(reading.seconds for reading in readings)
        verdicts = Counter(reading.verdict for reading in readings)
        print(
            f"{name}: {sum(seconds):.1f} s, median {seconds[len(seconds) // 2]:.4f} s, "
            f"slowest {seconds[-1]:.1f} s, most memory {max(r.mib for r in readings):.0f} MiB, "
            f"{dict(verdicts.most_common())}"
        )
    both = Counter((row["pdfium"].verdict == "ok", row["pypdf"].verdict == "ok") for row in rows)
    print(
        f"both read {both[True, True]}, only pdfium {both[True, False]}, "
        f"only pypdf {both[False, True]}, neither {both[False, False]}"
    )


if __name__ == "__main__":
    main()
