"""Numbers, times and names as people read them; the filters of the templates."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from index.records import iso

_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_NOTHING: Final = "–"


def number(value: float | None) -> str:
    """`12,345`; fractions to three digits."""
    if value is None:
        return _NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"


def span(seconds: float | None) -> str:
    """The two largest units of a length of time: `2 d 4 h`; tenths below ten seconds."""
    if seconds is None:
        return _NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in _SPANS:
        n, left = divmod(left, size)
        if n or parts:
            parts.append(f"{n} {unit}" if n else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def rough(seconds: float | None) -> str:
    """The largest unit of a length of time: `4 h`."""
    return _NOTHING if seconds is None else " ".join(span(seconds).split()[:2])


def moment(value: datetime | str | None) -> str:
    """`2026-11-22 05:36:07`, in UTC."""
    found = _parsed(value)
    return _NOTHING if found is None else f"{found.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def machine_time(value: datetime | str | None) -> str:
    """For `datetime` attributes."""
    return iso(_parsed(value)) or ""


def from_now(value: datetime | str | None, now: datetime | None = None) -> str:
    """`4 min ago`, `in 2 h`."""
    found = _parsed(value)
    if found is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - found).total_seconds()
    if abs(seconds) < 1:
        return "now"
    length = f"{abs(seconds):.0f} s" if abs(seconds) < 10 else rough(abs(seconds))
    return f"{length} ago" if seconds > 0 else f"in {length}"


def _parsed(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def size(n_bytes: int | None) -> str:
    """`3.4 MiB`."""
    if n_bytes is None:
        return _NOTHING
    value, unit = float(n_bytes), 0
    while value >= 1024 and unit < len(_SIZES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_SIZES[unit]}" if unit else f"{n_bytes:,} B"


def share(value: float) -> str:
    """`12 %`, or `< 1 %` of what is more than nothing."""
    percent = value * 100
    return "< 1 %" if 0 < percent < 1 else f"{percent:.0f} %"


def name(value: str) -> str:
    """A name on one line, in which signs that show nothing or turn others around are seen."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in value)


def words(code: str) -> str:
    """A state or a code as words: `completed with errors`."""
    return code.replace("_", " ")


def plural(n: int, noun: str) -> str:
    """`1 document`, `2 documents`."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{n:,} {noun if n == 1 else many}"


def query(values: Mapping[str, Any], **changed: Any) -> str:
    """The query of a link: `values` with some changed, without those that are empty."""
    held = {key: value for key, value in {**values, **changed}.items() if value not in (None, "")}
    return f"?{urlencode(held)}" if held else "?"


FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "number": number,
    "span": span,
    "rough": rough,
    "moment": moment,
    "machine_time": machine_time,
    "from_now": from_now,
    "size": size,
    "share": share,
    "name": name,
    "words": words,
    "query": query,
}
