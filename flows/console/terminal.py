"""Where words for people go, and how lines and numbers look."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from checks.alerts import in_words

_WIDE: Final = 200
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)

STATE_STYLES: Final = {
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


def say(words: str) -> None:
    """One line on standard output."""
    out.print(words, markup=False)


def show_count(n: int, what: str) -> None:
    """A number, and what there are so many of."""
    out.print(f"{n:>9,}  {what}")


def each(counts: Mapping[str, int]) -> str:
    """What makes up a number: `: 3 corrupt, 1 encrypted`; empty if nothing does."""
    return ": " + ", ".join(f"{n} {escape(name)}" for name, n in counts.items()) if counts else ""


def span(seconds: float | None) -> str:
    """A length of time in words; `-` if there is none."""
    return "-" if seconds is None else in_words(timedelta(seconds=round(seconds)))


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
