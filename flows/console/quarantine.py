"""What is in quarantine, and what to do about it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.markup import escape

from flows.console.terminal import out
from parsers.reasons import REMEDIES, Reason

_Row = Mapping[str, Any]
"""As the catalog has it, by column."""


def show_entries(entries: Iterable[_Row]) -> None:
    """Quarantine entries by reason, with what to do about them."""
    _show_by_reason(entries, lambda entry: 1, _show_entry)


def show_groups(groups: Iterable[_Row]) -> None:
    """The same, with those that failed in one way on one line."""
    _show_by_reason(groups, lambda group: group["n_entries"], _show_group)


def _show_by_reason(
    rows: Iterable[_Row], n_entries: Callable[[_Row], int], show: Callable[[_Row], None]
) -> None:
    by_code: dict[str, list[_Row]] = {}
    for row in rows:
        by_code.setdefault(row["code"], []).append(row)
    if not by_code:
        out.print("Nothing is in quarantine.")
    for code, members in sorted(by_code.items()):
        out.print(f"[bold]{code}[/]  {sum(map(n_entries, members)):,}")
        out.print(f"  {REMEDIES[Reason(code)]}", style="italic")
        for row in members:
            show(row)
        out.print()


def _show_entry(entry: _Row) -> None:
    _show_line(entry, entry["id"], escape(f"{entry['source']}: {entry['uri']}"))


def _show_group(group: _Row) -> None:
    n, first = group["n_entries"], escape(f"{group['source']}: {group['first_uri']}")
    name = group["first_id"] if n == 1 else f"{n:,} x group {group['failure_group']}"
    _show_line(group, name, first + (f" and {n - 1:,} more" if n > 1 else ""))


def _show_line(row: _Row, name: str, where: str) -> None:
    ignored = ", ignored" if row["state"] == "ignored" else ""
    out.print(f"  [cyan]{name}[/]  {where}  [dim]{escape(row['detail'])}{ignored}[/]")
