"""How results look to people in a terminal."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from flows.doctor import Finding
from flows.status import SourceStatus
from index.reconciling import Reconciliation
from index.search import Result
from parsers.reasons import REMEDIES, Reason

_WIDE: Final = 200
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_REPORT_EVERY_S: Final = 10.0
_STATE_STYLES: Final = {
    "completed": "green",
    "completed_with_errors": "yellow",
    "failed": "bold red",
    "interrupted": "bold red",
    "fresh": "green",
    "warning": "yellow",
    "error": "bold red",
    "unknown": "magenta",
}


class TerminalProgress:
    """A bar of documents, chunks per second and the time left."""

    def __init__(self) -> None:
        self._n_chunks = 0
        self._started = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("documents"),
            _ChunkRate(),
            TimeRemainingColumn(),
            console=err,
            transient=True,
        )
        self._task = self._bar.add_task("listing", total=None, chunks_per_s=0.0)

    def __enter__(self) -> "TerminalProgress":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def planned(self, n_documents: int) -> None:
        self._started = time.monotonic()
        self._bar.update(self._task, description="indexing", total=n_documents, completed=0)

    def documents_done(self, n: int) -> None:
        self._bar.advance(self._task, n)

    def chunks_embedded(self, n: int) -> None:
        self._n_chunks += n
        rate = self._n_chunks / max(0.1, time.monotonic() - self._started)
        self._bar.update(self._task, chunks_per_s=rate)


class _ChunkRate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['chunks_per_s']:.0f} chunks/s", style="cyan")


class LineProgress:
    """A plain line now and then, for logs."""

    def __init__(self) -> None:
        self._n_documents = self._n_done = self._n_chunks = 0
        self._next = time.monotonic() + _REPORT_EVERY_S

    def __enter__(self) -> "LineProgress":
        return self

    def __exit__(self, *error: object) -> None: ...

    def planned(self, n_documents: int) -> None:
        self._n_documents = n_documents
        if n_documents:
            err.print(f"{n_documents:,} documents to read")

    def documents_done(self, n: int) -> None:
        self._n_done += n
        self._tell()

    def chunks_embedded(self, n: int) -> None:
        self._n_chunks += n
        self._tell()

    def _tell(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _REPORT_EVERY_S
            done = f"{self._n_done:,} of {self._n_documents:,} documents"
            err.print(f"{done}, {self._n_chunks:,} chunks embedded")


def progress() -> TerminalProgress | LineProgress:
    return TerminalProgress() if sys.stderr.isatty() else LineProgress()


def show_report(report: Mapping[str, Any]) -> None:
    """The balance of a run: losses as well as gains."""
    documents, chunks = report["documents"], report["chunks"]
    state = report["state"]
    took = report["seconds"]["total"]
    style = _STATE_STYLES[state]
    out.print(
        f"[bold]{escape(report['source'])}[/]  "
        f"[{style}]{state.replace('_', ' ')}[/] in {took:.1f} s"
    )
    _show_count(documents["found"], "documents found")
    for name, n in documents.items():
        if name != "found" and n:
            why = {"quarantined": report["reasons"], "skipped": report["rules"]}.get(name, {})
            _show_count(n, f"  {name}{_each(why)}")
    made = f"{chunks['embedded']:,} embedded, {chunks['reused']:,} from the cache"
    _show_count(chunks["made"], f"chunks made: {made}, {chunks['rejected']:,} rejected")
    stored = f"{chunks['updated']:,} got new metadata, {chunks['deleted']:,} deleted"
    _show_count(chunks["written"], f"vectors written; {stored}")
    balanced = "balanced" if report["balanced"] else "[bold red]does not balance[/]"
    out.print(f"{balanced}: run {report['run_id']}")
    if report["took_over"]:
        out.print(f"finished what {len(report['took_over'])} interrupted run(s) had begun")
    if report["error"]:
        err.print(f"[bold red]{escape(report['error'])}[/]")
    if documents["quarantined"]:
        out.print("what to do about those quarantined: headwater quarantine list")


def _show_count(n: int, what: str) -> None:
    out.print(f"{n:>9,}  {what}")


def _each(counts: Mapping[str, int]) -> str:
    return ": " + ", ".join(f"{n} {escape(name)}" for name, n in counts.items()) if counts else ""


def show_statuses(statuses: Sequence[SourceStatus]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading, justify in (
        ("source", "left"),
        ("state", "left"),
        ("last success", "right"),
        ("lag p95", "right"),
        ("documents", "right"),
        ("chunks", "right"),
        ("quarantined", "right"),
        ("last run", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for status in statuses:
        style = _STATE_STYLES[status.state]
        ago = f"{_span(status.stale_for_s)} ago" if status.stale_for_s is not None else "never"
        table.add_row(
            escape(status.source),
            f"[{style}]{status.state.value}[/]",
            ago,
            _span(status.lag_p95_s),
            f"{sum(status.documents.values()):,}",
            f"{status.n_chunks:,}",
            f"{sum(status.quarantined.values()):,}",
            (status.last_run_state or "none").replace("_", " "),
        )
    out.print(table)


def _span(seconds: float | None) -> str:
    """A length of time in its largest unit or two: `3 d 4 h`, `12 min`, `8 s`."""
    if seconds is None:
        return "-"
    whole = timedelta(seconds=round(seconds))
    hours, rest = divmod(whole.seconds, 3600)
    if whole.days:
        return f"{whole.days} d {hours} h"
    if hours:
        return f"{hours} h {rest // 60} min"
    return f"{rest // 60} min" if rest >= 60 else f"{rest} s"


def show_entries(entries: Iterable[Mapping[str, Any]]) -> None:
    """Reason by reason: what to do, then the documents."""
    by_code: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        by_code.setdefault(entry["code"], []).append(entry)
    if not by_code:
        out.print("nothing is in quarantine")
    for code, members in sorted(by_code.items()):
        out.print(f"[bold]{code}[/] ({len(members)})  {REMEDIES[Reason(code)]}")
        for entry in members:
            where = escape(f"{entry['source']}: {entry['uri']}")
            ignored = ", ignored" if entry["state"] == "ignored" else ""
            said = escape(entry["detail"]) + ignored
            out.print(f"  [cyan]{entry['id']}[/]  {where}  [dim]{said}[/]")
        out.print()


def show_fields(fields: Mapping[str, Any]) -> None:
    """One thing, a line for each of its fields."""
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        if isinstance(value, list):
            out.print(f"{name:<{width}}  {len(value)}")
            for item in value:
                out.print(f"{'':<{width}}    {escape(_on_one_line(item))}")
        elif value not in (None, ""):
            out.print(f"{name:<{width}}  {escape(_on_one_line(value))}")


def _on_one_line(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items() if item is not None)
    return str(value)


def say(words: str) -> None:
    """One line on standard output."""
    out.print(words, markup=False)


def show_generations(rows: Iterable[Mapping[str, Any]]) -> None:
    """Generations with their model and state."""
    table = Table(box=None, pad_edge=False)
    for name in ("generation", "state", "model", "revision", "chunker"):
        table.add_column(name)
    table.add_column("chunks", justify="right")
    for row in rows:
        names = ("id", "state", "model", "revision", "chunker")
        table.add_row(*(escape(str(row[name])) for name in names), f"{row['chunks']:,}")
    out.print(table)


def show_estimate(estimate: Mapping[str, Any]) -> None:
    """What building a generation will cost, before it begins."""
    err.print(
        f"Building generation {estimate['generation']} ({escape(estimate['model'])}): "
        f"{estimate['documents']:,} documents, about {estimate['chunks']:,} chunks, "
        f"{estimate['tokens_to_embed']:,} of {estimate['tokens']:,} tokens to embed, "
        f"about {_span(estimate['seconds'])}."
    )


def show_reconciliation(found: Reconciliation) -> None:
    """How a generation's vectors compare with the catalog."""
    if found.agrees:
        out.print(
            f"Generation {found.generation}: {found.n_chunks:,} chunks, the vector store agrees; "
            f"{found.n_probed:,} were searched for and found.",
            style="green",
        )
        return
    differing = ", ".join(f"{n:,} {fault.replace('_', ' ')}" for fault, n in found.faults.items())
    out.print(f"Generation {found.generation}: {found.n_chunks:,} chunks; {differing}", style="red")
    for fault, chunk_ids in found.examples.items():
        out.print(f"  {fault.replace('_', ' ')}: {', '.join(chunk_ids[:3])}", style="dim")
    if found.n_repaired:
        out.print(f"  {found.n_repaired:,} chunks were mended.")
    elif not found.lost:
        out.print("  To mend it: headwater reconcile --repair")
    for uri in found.lost:
        out.print(f"  {escape(uri)}: its stored text is gone; ingest its source again")


def show_results(results: Sequence[Result]) -> None:
    if not results:
        out.print("nothing found")
    for result in results:
        placed, origin = result.placement, result.provenance
        pages = f", page {placed.page_first}" if placed.page_first else ""
        if placed.page_last != placed.page_first:
            pages = f", pages {placed.page_first} to {placed.page_last}"
        changed = (
            f", changed {origin.source_modified_at:%Y-%m-%d}" if origin.source_modified_at else ""
        )
        out.print(
            f"[bold]{result.rank}. {escape(origin.uri)}[/]{pages}  "
            f"[dim]{result.score:.3f}, {escape(origin.source)}{changed}[/]"
        )
        if placed.heading_path:
            out.print(f"   [cyan]{escape(' > '.join(placed.heading_path))}[/]")
        words = " ".join(result.text.split())
        out.print(f"   {escape(words[:300])}{'…' if len(words) > 300 else ''}\n")


def show_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[bold red]bad[/] "
        out.print(f"{mark} {finding.check:<22} {escape(finding.detail)}")
