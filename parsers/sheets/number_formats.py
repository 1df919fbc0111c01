"""Numbers as the cells of a spreadsheet show them, and dates in ISO form."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from math import isfinite
from typing import Final

_MAX_CODE_CHARACTERS: Final = 255
"""Of a number format, the limit of Excel; what is longer was not written by a spreadsheet."""
_LITERAL: Final = re.compile(r'"[^"]*"?|\\.|_.|\*.')
_BRACKET: Final = re.compile(r"\[(?!(?:h+|m+|s+)\])[^\]]*\]", re.I)
_ELAPSED: Final = re.compile(r"\[(?:h+|m+|s+)\]", re.I)
_DAY: Final = re.compile(r"[yd]|mmm", re.I)
_DATE_OR_TIME: Final = re.compile(r"[ymdhs]", re.I)
_CURRENCY: Final = re.compile(r"\[\$([^\]-]*)[^\]]*\]")
_SHOWN: Final = re.compile(r'"([^"]*)"?|\\(.)|([$€£¥₹])')
_DIGIT: Final = re.compile(r'"[^"]*"?|\\.|[0#?]')
"""Or what stands for itself, in which there may be digits."""
_SECONDS_PER_DAY: Final = 86_400
_LEAP_DAY_THAT_NEVER_WAS: Final = 60
"""Serial number of 29 February 1900, which Excel keeps for the sake of Lotus 1-2-3."""


class _Kind(StrEnum):
    NUMBER = "number"
    PERCENTAGE = "percentage"
    MOMENT = "moment"
    TIME = "time"
    ELAPSED = "elapsed"


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """What a number format says of the meaning of a number; not how many digits it shows."""

    kind: _Kind = _Kind.NUMBER
    before: str = ""
    """Shown before the number: a currency, for example."""
    after: str = ""
    """Shown after it: a unit."""
    n_decimals: int = 2
    """Of a percentage, which is nearly always calculated: to how many it is rounded."""


GENERAL: Final = NumberFormat()

_BUILT_IN_CODES: Final = (
    dict.fromkeys((9, 10), "0%")
    | dict.fromkeys((*range(14, 18), *range(27, 32), 36, *range(50, 59)), "yyyy-mm-dd")
    | dict.fromkeys((*range(18, 22), *range(32, 36), 45, 47), "h:mm:ss")
    | {22: "yyyy-mm-dd h:mm", 46: "[h]:mm:ss"}
)
"""Number formats that a workbook uses by number without spelling them (ECMA-376, 18.8.30)."""


def built_in_format(number: int) -> NumberFormat:
    return read_format(_BUILT_IN_CODES.get(number, ""))


def read_format(code: str) -> NumberFormat:
    """A format as a workbook spells it, for example `0.00%` or `[$-407]d. mmmm yyyy`."""
    section = code[:_MAX_CODE_CHARACTERS].split(";")[0]
    bare = _BRACKET.sub("", _LITERAL.sub("", section)).lower()
    if "general" in bare or not bare:
        return GENERAL
    if _ELAPSED.search(bare):
        return NumberFormat(_Kind.ELAPSED)
    if _DATE_OR_TIME.search(bare.replace("am/pm", "h")):
        return NumberFormat(_Kind.MOMENT if _shows_days(bare) else _Kind.TIME)
    if "%" in bare:
        shown = len(bare.partition(".")[2].rstrip("% "))
        return NumberFormat(_Kind.PERCENTAGE, n_decimals=max(shown, GENERAL.n_decimals))
    return _with_words(_BRACKET.sub("", _CURRENCY.sub(r'"\1"', section)))


def _with_words(section: str) -> NumberFormat:
    digits = [match for match in _DIGIT.finditer(section) if match[0] in "0#?"]
    if not digits:
        return GENERAL
    before, after = section[: digits[0].start()], section[digits[-1].end() :]
    return NumberFormat(_Kind.NUMBER, _shown(before), _shown(after))


def _shows_days(bare: str) -> bool:
    return bool(_DAY.search(bare)) or ("m" in bare and "h" not in bare and "s" not in bare)


def _shown(part: str) -> str:
    """The words of one side of a format's digits."""
    return "".join(next(filter(None, match.groups()), "") for match in _SHOWN.finditer(part))


def show(value: float, form: NumberFormat, *, since_1904: bool = False) -> str:
    """A number as text: without the noise of binary fractions, dates in ISO form.

    Args:
        value: As stored. Of a date, days since the epoch of the workbook.
        form: The number format of its cell.
        since_1904: Whether that epoch is 1904 instead of 1900.
    """
    if not isfinite(value):
        return plain(value)
    if form.kind is _Kind.NUMBER:
        return f"{form.before}{plain(value)}{form.after}"
    if form.kind is _Kind.PERCENTAGE:
        rounded = round(value * 100, form.n_decimals)
        return plain(rounded or value * 100) + "%"
    if form.kind is _Kind.ELAPSED or (form.kind is _Kind.TIME and 0 <= value < 1):
        return show_duration(timedelta(seconds=_seconds(value)))
    moment = _moment(value, since_1904=since_1904)
    return plain(value) if moment is None else show_moment(moment)


def plain(value: float) -> str:
    """A number with at most the 15 digits that a spreadsheet knows of it."""
    return f"{value + 0.0:.15g}".replace("e+", "E")  # Minus zero and zero make zero.


def show_moment(moment: date) -> str:
    """A date; a time only where it is not midnight, seconds only where there are some."""
    if not isinstance(moment, datetime):
        return moment.isoformat()
    if moment.time() == time():
        return moment.date().isoformat()
    return moment.isoformat(" ", "seconds" if moment.second else "minutes")


def show_duration(duration: timedelta) -> str:
    """Hours and minutes, and seconds where there are some."""
    sign = "-" if duration < timedelta() else ""
    minutes, seconds = divmod(round(abs(duration).total_seconds()), 60)
    shown = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return f"{shown}:{seconds:02}" if seconds else shown


def _seconds(days: float) -> int:
    limit = timedelta.max.days
    return round(min(max(days, -limit), limit) * _SECONDS_PER_DAY)


def _moment(serial: float, *, since_1904: bool) -> datetime | None:
    """None where there was no such day."""
    if since_1904:
        epoch = datetime(1904, 1, 1)
    else:
        epoch = datetime(1899, 12, 31 if serial < _LEAP_DAY_THAT_NEVER_WAS else 30)
    try:
        return epoch + timedelta(seconds=_seconds(serial)) if serial >= 0 else None
    except OverflowError:
        return None
