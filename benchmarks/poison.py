"""What becomes of real documents, good and terrible, in a real ingest.

    python benchmarks/poison.py FOLDER MANIFEST [--state DIR] > docs/poison.md

MANIFEST has one JSON object a line: `path` (relative to MANIFEST's folder), `format`, `kind` (what
the file is known to be: ok, corrupt, encrypted, scanned, hostile, empty, unknown), `password` where
it has one, `gold` (path of the expected text) where there is one.

Three runs over FOLDER: as it is; again with every document parsed anew, which must end the same;
and with the passwords. Prints, as Markdown, each promise and whether it was kept, kind by outcome
and reason, each format by outcome, speed, memory, the longest that a document took, every file that
did not end as its kind would have it, how like the texts are to those expected, and the worst texts
that got through. Exit status 1 if a promise was broken.
"""

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import sqlalchemy as sa

from flows.orchestration.runtime import prefect_server
from flows.settings import Settings, load_settings
from flows.wiring import open_catalog, text_store
from index.catalog import tables
from index.plan import MEMBER
from parsers.document import ParsedDocument
from parsers.errors import ParseError
from parsers.office.encryption import decrypt
from parsers.sandbox import Sandbox

SPARE_S = 5.0
SUPPORTED_SHARE = 0.98
PICTURES = ("bmp", "gif", "heic", "jpg", "png", "tif", "webp")
WORD = re.compile(r"\w+")

Fates = Mapping[str, str]
"""By uri, what became of a document: its outcome, and the reason if there is one."""


@dataclass
class Case:
    """A file of the manifest."""

    uri: str
    format: str
    kind: str
    password: str
    is_openable: bool
    """No library that was tried opens some of the files, whatever the password."""
    gold: Path | None
    path: Path


@dataclass
class Watch:
    """What a run takes."""

    seconds: dict[str, float] = field(default_factory=dict)
    """By uri, from being handed to the sandbox until it answered."""
    worker_mib: float = 0.0
    main_mib: float = 0.0

    @contextlib.contextmanager
    def over(self) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._sample, args=(ended,), daemon=True)
        thread.start()
        original = Sandbox.parse

        def timed(sandbox: Sandbox, name: str, data: bytes) -> Any:
            started = time.monotonic()
            try:
                return original(sandbox, name, data)
            finally:
                self.seconds[name] = time.monotonic() - started

        with mock.patch.object(Sandbox, "parse", timed):
            yield
        ended.set()
        thread.join()

    def _sample(self, ended: threading.Event) -> None:
        me = psutil.Process()
        while not ended.wait(0.1):
            self.main_mib = max(self.main_mib, me.memory_info().rss / 2**20)
            for child in me.children():
                with contextlib.suppress(psutil.Error):
                    if "parsers.worker" in child.cmdline():
                        self.worker_mib = max(self.worker_mib, child.memory_info().rss / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--state", type=Path, help="kept, to be looked into afterwards")
    arguments = parser.parse_args()
    cases = _cases(arguments.folder.resolve(), arguments.manifest.resolve())
    watch = Watch()
    with contextlib.ExitStack() as stack:
        state = arguments.state or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        state.mkdir(parents=True, exist_ok=True)
        stack.enter_context(prefect_server(state / "server"))
        config = _settings_file(state, arguments.folder, cases, passwords=False)
        with watch.over():
            report = _ingest(config)
        fates = _fates(config, report)
        texts = _texts(config)
        os.environ["HEADWATER_LIMITS__MAX_PAGES"] = "5001"  # Parses all anew, with equal results.
        again = _fates(config, _ingest(config))
        config = _settings_file(state, arguments.folder, cases, passwords=True)
        opened = _fates(config, _ingest(config))
        promises = _promises(cases, report, fates, again, opened, watch, load_settings(config))
    _show(cases, report, fates, texts, watch, promises)
    sys.exit(0 if all(kept for _, kept in promises) else 1)


def _cases(folder: Path, manifest: Path) -> list[Case]:
    cases = []
    for line in manifest.read_text("utf-8").splitlines():
        entry = json.loads(line)
        path = manifest.parent / entry["path"]
        if path.is_relative_to(folder):
            gold = manifest.parent / entry["gold"] if entry.get("gold") else None
            uri = str(path.relative_to(folder))
            password = entry.get("password", "")
            openable = "does not open it" not in entry.get("note", "")
            kind = entry["kind"]
            cases.append(Case(uri, entry["format"], kind, password, openable, gold, path))
    return cases


def _settings_file(state: Path, folder: Path, cases: Sequence[Case], *, passwords: bool) -> Path:
    lines = [f"state_dir = {json.dumps(str(state / 'state'))}", "[[sources]]", 'name = "poison"']
    lines.append(f"uri = {json.dumps(str(folder.resolve()))}")
    lines.append("exclude = []")
    for number, case in enumerate(cases):
        if passwords and case.password:
            os.environ[f"POISON_PASSWORD_{number}"] = case.password
            # A pattern that stands for this path alone: `?` for whatever a glob would act on.
            pattern = re.sub(r"[^\w/.-]", "?", case.uri)
            lines += ["[[sources.passwords]]", f"pattern = {json.dumps(pattern)}"]
            lines.append(f'env = "POISON_PASSWORD_{number}"')
    file = state / "headwater.toml"
    file.write_text("\n".join(lines), "utf-8")
    return file


def _ingest(config: Path) -> dict[str, Any]:
    from flows.errors import RunFailed
    from flows.ingest import ingest

    try:
        return ingest("poison", str(config), allow_removal=True)
    except RunFailed as failure:
        return failure.report.as_json()


def _fates(config: Path, report: Mapping[str, Any]) -> dict[str, str]:
    """What the catalog says after a run; a document that it forgot is missing."""
    document, entry = tables.document.c, tables.quarantine.c
    query = (
        sa.select(document.uri, document.outcome, entry.code)
        .outerjoin(
            tables.quarantine,
            sa.and_(entry.document_id == document.id, entry.state != "resolved"),
        )
        .where(document.removed_at.is_(None))
    )
    with open_catalog(load_settings(config)) as catalog, catalog.reading() as connection:
        rows = connection.execute(query).all()
    assert len(rows) == report["documents"]["found"], (len(rows), report)
    return {uri: f"{outcome}: {code}" if code else outcome for uri, outcome, code in rows}


def _texts(config: Path) -> dict[str, ParsedDocument]:
    """By uri, what was made searchable."""
    settings = load_settings(config)
    document, version = tables.document.c, tables.version.c
    query = sa.select(document.uri, version.text_key).join(
        tables.version, version.id == document.current_version
    )
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        rows = connection.execute(query).all()
    store = text_store(settings)
    return {uri: parsed for uri, key in rows if (parsed := store.get(key)) is not None}


def _promises(
    cases: Sequence[Case],
    report: Mapping[str, Any],
    fates: Fates,
    again: Fates,
    opened: Fates,
    watch: Watch,
    settings: Settings,
) -> list[tuple[str, bool]]:
    limits = settings.limits

    def of(kind: str) -> list[Case]:
        return [case for case in cases if case.kind == kind]

    def all_end(some: Sequence[Case], *allowed: str, after: Fates = fates) -> bool:
        return all(after.get(case.uri, "lost").startswith(allowed) for case in some)

    good = [case for case in of("ok") if _is_supported(case, fates[case.uri])]
    read = [case for case in good if fates[case.uri] in ("indexed", "partial")]
    sealed = [case for case in of("encrypted") if not _opens_by_itself(case)]
    with_password = [case for case in of("encrypted") if case.password and case.is_openable]
    opened_ones = [case for case in with_password if opened[case.uri] in ("indexed", "partial")]
    slowest = max(watch.seconds.get(case.uri, 0.0) for case in of("hostile"))
    return [
        (f"every one of {len(cases)} files has an outcome", all(c.uri in fates for c in cases)),
        ("the run balances", bool(report["balanced"])),
        ("parsing everything again ends the same", fates == again),
        (
            f"of kind ok, {len(read)} of {len(good)} supported files are read, "
            f"{100 * len(read) / len(good):.1f} % (at least 98 %)",
            len(read) >= SUPPORTED_SHARE * len(good),
        ),
        (
            "all files sealed with a password of somebody's are `encrypted` without it",
            all_end(sealed, "quarantined: encrypted"),
        ),
        (
            f"of {len(with_password)} encrypted files with a known password all are read with it "
            f"({len(opened_ones)} are)",
            len(opened_ones) == len(with_password),
        ),
        (
            "all empty files are `empty_file` or `empty_text`",
            all_end(of("empty"), "quarantined: empty_file", "quarantined: empty_text"),
        ),
        (
            "no scanned file is plainly indexed",
            not any(fates[case.uri] == "indexed" for case in of("scanned")),
        ),
        (
            f"no hostile file took longer than its limit and 5 s (the slowest: {slowest:.1f} s)",
            slowest <= limits.parse_timeout_s + SPARE_S,
        ),
        (
            f"no worker had more than {limits.parse_memory_mib} MiB ({watch.worker_mib:.0f} MiB)",
            watch.worker_mib <= limits.parse_memory_mib,
        ),
        ("no worker is left", not _workers()),
    ]


def _is_supported(case: Case, fate: str) -> bool:
    """Pictures are read by OCR, which is not enabled."""
    return case.format not in PICTURES and fate != "quarantined: unsupported_type"


def _opens_by_itself(case: Case) -> bool:
    """Whether it is under a password that office programs use on their own, which hides nothing."""
    try:
        data = case.path.read_bytes()
        return decrypt(data, ()) != data
    except ParseError:
        return False


def _workers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "parsers.worker" in child.cmdline()
    ]


def _show(
    cases: Sequence[Case],
    report: Mapping[str, Any],
    fates: Fates,
    texts: Mapping[str, ParsedDocument],
    watch: Watch,
    promises: Sequence[tuple[str, bool]],
) -> None:
    _title("Promises")
    for promise, kept in promises:
        print(f"- {'kept' if kept else '**broken**'}: {promise}")
    _title("Kind by outcome")
    _table(cases, fates, lambda case: case.kind)
    _title("Format by outcome")
    _table(cases, fates, lambda case: case.format)
    _title("Cost")
    n_inside = sum(MEMBER in uri for uri in fates)
    total = report["seconds"]["total"]
    print(f"{len(cases)} files and {n_inside} documents inside of them in {total:.1f} s,")
    print(f"{len(cases) / total:.1f} files a second; seconds by stage {report['seconds']}.\n")
    print(f"Largest worker {watch.worker_mib:.0f} MiB, main process {watch.main_mib:.0f} MiB.")
    print("Longest in the sandbox:\n")
    for uri, seconds in sorted(watch.seconds.items(), key=lambda item: -item[1])[:8]:
        print(f"- {seconds:.1f} s, {fates.get(uri)}: `{uri}`")
    _title("Not as their kind would have it")
    for case in cases:
        if _is_surprising(case, fates[case.uri]):
            print(f"- {case.kind}, {fates[case.uri]}: `{case.uri}`")
    _title("Likeness to the expected text")
    _show_likeness(cases, texts)
    _title("Corrupt files: the texts of the lowest quality")
    _show_worst([case for case in cases if case.kind == "corrupt"], texts)


def _title(words: str) -> None:
    print(f"\n## {words}\n")


def _table(cases: Sequence[Case], fates: Fates, key: Callable[[Case], str]) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        counts[key(case)][fates[case.uri]] += 1
    columns = sorted({fate for counter in counts.values() for fate in counter})
    print(f"| | all | {' | '.join(columns)} |")
    print(f"|---|{'---|' * (len(columns) + 1)}")
    for row, counter in sorted(counts.items(), key=lambda item: -item[1].total()):
        cells = " | ".join(str(counter[column] or "") for column in columns)
        print(f"| {row} | {counter.total()} | {cells} |")


def _is_surprising(case: Case, fate: str) -> bool:
    """Whether somebody should look at it."""
    wanted = {
        "ok": ("indexed", "partial"),
        "encrypted": ("quarantined: encrypted",),
        "empty": ("quarantined: empty",),
        "scanned": ("quarantined: empty_text", "partial"),
    }
    return not fate.startswith(wanted.get(case.kind, ("",)))


def _show_likeness(cases: Sequence[Case], texts: Mapping[str, ParsedDocument]) -> None:
    """Of pairs of neighbouring words, so that the order counts: F1, recall and precision."""
    by_format: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for case in cases:
        if case.gold is not None and case.uri in texts:
            wanted = _pairs(case.gold.read_text("utf-8", errors="replace"))
            got = _pairs(texts[case.uri].text)
            common = (wanted & got).total()
            recall, precision = common / (wanted.total() or 1), common / (got.total() or 1)
            by_format[case.format].append((recall, precision, case.uri))
    print("| format | files | recall | precision | least recall |\n|---|---|---|---|---|")
    for name, found in sorted(by_format.items()):
        recall = sum(one[0] for one in found) / len(found)
        precision = sum(one[1] for one in found) / len(found)
        least = min(found)
        print(
            f"| {name} | {len(found)} | {recall:.3f} | {precision:.3f} | "
            f"{least[0]:.3f} `{least[2]}` |"
        )


def _pairs(text: str) -> Counter[tuple[str, str]]:
    words = WORD.findall(re.sub(r"<[^>]*>|\]\([^)]*\)|&\w+;", " ", text).casefold())
    return Counter(pairwise(words))


def _show_worst(cases: Sequence[Case], texts: Mapping[str, ParsedDocument]) -> None:
    found = sorted(
        (_share_of_words(texts[case.uri].text), case.uri) for case in cases if case.uri in texts
    )
    print("By the share of characters that are in words of letters with a vowel, or in numbers.\n")
    for share, uri in found[:10]:
        start = " ".join(texts[uri].text.split())[:160]
        print(f"- {share:.2f} `{uri}`: {json.dumps(start, ensure_ascii=False)}")


def _share_of_words(text: str) -> float:
    seen = [character for character in text if not character.isspace()]
    good = re.findall(r"\b[^\W\d_]*[aeiouyäöüàéèáíóúåæø][^\W\d_]*\b|\b\d[\d.,:]*\b", text, re.I)
    return sum(map(len, good)) / max(1, len(seen))


if __name__ == "__main__":
    main()
