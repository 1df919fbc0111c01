"""How sources stand, what is wrong, and where everything is."""

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.table import Table

from flows.alerts.status import AlertStatus
from flows.console.terminal import STATE_STYLES, out, span
from flows.doctor import Finding
from flows.freshness.status import SourceStatus
from flows.settings import Settings
from flows.up.addresses import Addresses


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
        ago = f"{span(found.stale_for_s)} ago" if found.stale_for_s is not None else "never"
        kept = found.budget.share_within
        table.add_row(
            escape(status.source),
            f"[{STATE_STYLES[status.state]}]{status.state.value}[/]",
            ago,
            span(found.lags.seconds.p95 if found.lags.seconds else None),
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
        said = f"the oldest change that is not searchable is of {span(found.waiting_for_s)} ago"
        out.print(f"[yellow]{name}[/]: {said}: headwater quarantine list --source {name}")
    if found.n_left:
        said = f"{found.n_left:,} documents are left to the next run: max_documents_per_run"
        out.print(f"[yellow]{name}[/]: {said}")
    if found.skew.n_documents:
        named = escape(", ".join(found.skew.uris))
        said = f"{found.skew.n_documents:,} documents with a modification time in the future"
        out.print(f"[yellow]{name}[/]: {said}: {named}; see to the clock of whoever wrote them")


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
            f"[{STATE_STYLES[severity]}]{severity}[/]  [bold]{where}[/]: {escape(alert.summary)}  "
            f"[dim]{alert.key.kind}, since {alert.started_at:%Y-%m-%d %H:%M}, sent {sent} UTC[/]"
        )
        for row in status.undelivered:
            said = f"{row['error']}, tried {row['n_attempts']} x" if row["error"] else "not tried"
            out.print(f"  {row['state']}: {row['phase']} to {escape(row['target'])}: {said}")


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


def show_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[bold red]bad[/] "
        out.print(f"{mark} {finding.check:<22} {escape(finding.detail)}")
