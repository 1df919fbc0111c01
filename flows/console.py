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

from checks.alerts import in_words
from checks.corpus import in_words as measured
from flows.alerts.status import AlertStatus
from flows.doctor import Finding
from flows.freshness.status import SourceStatus
from flows.settings import Settings
from flows.up.addresses import Addresses
from index.catalog.measures import Measure
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
    "resolved": "green",
}
_VERDICT_STYLES: Final = {"passed": "green", "warning": "yellow", "failed": "bold red"}


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
    _show_checks(report["checks"])
    stored = f"{chunks['updated']:,} got new metadata, {chunks['deleted']:,} deleted"
    _show_count(chunks["written"], f"vectors written; {stored}")
    balanced = "balanced" if report["balanced"] else "[bold red]does not balance[/]"
    out.print(f"{balanced}: run {report['run_id']}")
    if report["released"]:
        out.print(f"{report['released']:,} from quarantine were tried again")
    if report["took_over"]:
        out.print(f"finished what {len(report['took_over'])} interrupted run(s) had begun")
    _show_trouble(report)
    if documents["left"]:
        out.print("the next run reads what is left: max_documents_per_run")
    if documents["quarantined"]:
        out.print("what to do about those quarantined: headwater quarantine list")


def _show_trouble(report: Mapping[str, Any]) -> None:
    for note in report["notes"]:
        err.print(f"[yellow]{escape(note)}[/]")
    if report["error"]:
        err.print(f"[bold red]{escape(report['error'])}[/]")
    for uri in report["would_remove"]:
        err.print(f"  would be removed: {escape(uri)}")
    if (n_more := report["removal_withheld"] - len(report["would_remove"])) > 0:
        err.print(f"  and {n_more:,} more")


def _show_checks(checks: Mapping[str, Any]) -> None:
    """What a reader should know of a run's checks: nothing, if all is well."""
    if checks["resolved"]:
        _show_count(sum(checks["resolved"].values()), f"fields filled{_each(checks['resolved'])}")
    if checks["warned"] or checks["dropped"]:
        said = f"chunks with warnings; {checks['dropped']:,} left out: headwater checks show"
        _show_count(checks["warned"], said)
    for measure in checks["run"]:
        if measure["verdict"] == "warning":
            out.print(f"[yellow]{escape(measured(Measure(**measure)))}[/]")


def show_checks(checks: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> None:
    """The checks of one run: rules that were broken, where, and the numbers of the whole."""
    counts = f"{checks['chunks']:,} chunks of {checks['documents']:,} documents"
    out.print(f"{checks['suite']} {checks['suite_version']}: {counts}")
    told = f"{checks['invalid']:,} invalid, {checks['dropped']:,} left out of their documents"
    out.print(f"{told}, {checks['warned']:,} with warnings")
    if checks["resolved"]:
        out.print(f"fields filled{_each(checks['resolved'])}")
    for document in documents:
        out.print(f"[cyan]{escape(document['uri'])}[/]")
        for broken in document["rules"]:
            style = _STATE_STYLES[broken["severity"]]
            where = f"{broken['n']:,} of {document['chunks']:,} chunks"
            said = f"{escape(broken['field'])}: {broken['rule']}, {where}"
            out.print(f"  [{style}]{broken['severity']}[/]  {said}")
    for measure in checks["run"]:
        style = _VERDICT_STYLES[measure["verdict"]]
        said = escape(measured(Measure(**measure)))
        out.print(f"[{style}]{measure['verdict']:<8}[/] {said}")


def _show_count(n: int, what: str) -> None:
    out.print(f"{n:>9,}  {what}")


def _each(counts: Mapping[str, int]) -> str:
    return ": " + ", ".join(f"{n} {escape(name)}" for name, n in counts.items()) if counts else ""


def show_statuses(statuses: Sequence[SourceStatus]) -> None:
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(
        ("source", "state", "true until", "lag p95", "documents", "stale", "chunks", "quarantined")
    ):
        table.add_column(heading, justify="left" if number < 2 else "right")
    for heading in ("in objective", "last run"):
        table.add_column(heading)
    for status in statuses:
        found = status.freshness
        ago = f"{_span(found.stale_for_s)} ago" if found.stale_for_s is not None else "never"
        kept = found.budget.share_within
        table.add_row(
            escape(status.source),
            f"[{_STATE_STYLES[status.state]}]{status.state.value}[/]",
            ago,
            _span(found.lags.seconds.p95 if found.lags.seconds else None),
            f"{sum(status.documents.values()):,}",
            f"{found.n_stale:,}",
            f"{status.n_chunks:,}",
            f"{sum(status.quarantined.values()):,}",
            "-" if kept is None else f"{kept:.2%}",
            (status.last_run_state or "none").replace("_", " "),
        )
    out.print(table)
    for status in statuses:
        _show_doubts(status)


def _show_doubts(status: SourceStatus) -> None:
    """What keeps a source from being fresh, and what cannot be true of its times."""
    found, name = status.freshness, escape(status.source)
    if found.clocks.check_failed:
        out.print(f"[magenta]{name}[/]: it could not be listed when we last tried")
    if found.waiting_for_s is not None:
        said = f"the oldest change that is not searchable is of {_span(found.waiting_for_s)} ago"
        out.print(f"[yellow]{name}[/]: {said}: headwater quarantine list --source {name}")
    if found.n_left:
        said = f"{found.n_left:,} documents are left to the next run: max_documents_per_run"
        out.print(f"[yellow]{name}[/]: {said}")
    if found.skew.n_documents:
        named = escape(", ".join(found.skew.uris))
        said = f"{found.skew.n_documents:,} documents with a modification time in the future"
        out.print(f"[yellow]{name}[/]: {said}: {named}; see to the clock of whoever wrote them")


def show_addresses(addresses: Addresses, seconds: float, settings: Settings) -> None:
    """The one screen of `headwater up`."""
    out.print(f"[bold]headwater is up[/] after {seconds:.0f} s; Ctrl-C stops it")
    table = Table(box=None, pad_edge=False, show_header=False)
    parts = {"dashboard": addresses.dashboard, "prefect": addresses.prefect}
    for name, address in (parts | {"vectors": addresses.vectors}).items():
        if address:
            table.add_row(name, address)
    for source in settings.sources:
        table.add_row(f"source {escape(source.name)}", source.schedule or "no schedule")
    table.add_row("logs", escape(str(settings.state_dir / "up")))
    out.print(table)


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else in_words(timedelta(seconds=round(seconds)))


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


def show_groups(groups: Iterable[Mapping[str, Any]]) -> None:
    """Quarantine entries, those that failed in one way on one line, with what to do about them."""
    by_code: dict[str, list[Mapping[str, Any]]] = {}
    for group in groups:
        by_code.setdefault(group["code"], []).append(group)
    if not by_code:
        out.print("Nothing is in quarantine.")
    for code, members in sorted(by_code.items()):
        out.print(f"[bold]{code}[/]  {sum(group['n_entries'] for group in members):,}")
        out.print(f"  {REMEDIES[Reason(code)]}", style="italic")
        for group in members:
            _show_group(group)
        out.print()


def _show_group(group: Mapping[str, Any]) -> None:
    n, first = group["n_entries"], escape(f"{group['source']}: {group['first_uri']}")
    name = group["first_id"] if n == 1 else f"{n:,} x group {group['failure_group']}"
    more = f" and {n - 1:,} more" if n > 1 else ""
    ignored = ", ignored" if group["state"] == "ignored" else ""
    out.print(f"  [cyan]{name}[/]  {first}{more}  [dim]{escape(group['detail'])}{ignored}[/]")


def show_reprocessed(report: Mapping[str, Any]) -> None:
    """What came of each entry that was tried again."""
    show_report(report)
    for entry in report["entries"]:
        where = escape(entry["uri"])
        if entry["state"] == "resolved":
            out.print(f"  [green]resolved[/]  {where}")
        else:
            why = escape(f"{entry['code']}: {entry['detail']}")
            out.print(f"  [red]{entry['state']}[/]  {where}  [dim]{why}[/]")


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


def show_alerts(statuses: Sequence[AlertStatus]) -> None:
    """What is on; then, of each, what did not arrive and why."""
    if not statuses:
        out.print("no alert is on")
    for status in statuses:
        alert = status.alert
        severity = "resolved" if alert.resolved_at else alert.severity.value
        sent = f"{status.last_sent:%Y-%m-%d %H:%M}" if status.last_sent else "never"
        where = escape(alert.key.source or "all sources")
        out.print(
            f"[{_STATE_STYLES[severity]}]{severity}[/]  [bold]{where}[/]: {escape(alert.summary)}  "
            f"[dim]{alert.key.kind}, since {alert.started_at:%Y-%m-%d %H:%M}, sent {sent} UTC[/]"
        )
        for row in status.undelivered:
            said = f"{row['error']}, tried {row['n_attempts']} x" if row["error"] else "not tried"
            out.print(f"  {row['state']}: {row['phase']} to {escape(row['target'])}: {said}")


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
    if found.why_not_probed:
        out.print(f"  None was searched for, for {found.why_not_probed}", style="dim")
    if found.agrees:
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
        if result.stale_since:
            since = f"{result.stale_since:%Y-%m-%d %H:%M} UTC"
            out.print(f"   [yellow]stale: its source says something else since {since}[/]")
        if placed.heading_path:
            out.print(f"   [cyan]{escape(' > '.join(placed.heading_path))}[/]")
        words = " ".join(result.text.split())
        out.print(f"   {escape(words[:300])}{'…' if len(words) > 300 else ''}\n")


def show_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[bold red]bad[/] "
        out.print(f"{mark} {finding.check:<22} {escape(finding.detail)}")
