"""What is in quarantine, and what to do about it."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.markup import escape

from flows.console.terminal import out
from parsers.reasons import REMEDIES, Reason


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
