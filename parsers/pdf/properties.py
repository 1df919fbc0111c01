"""What a PDF says about itself: title, author, dates; and the files in it."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Final

from parsers.contract import ParseOptions
from parsers.document import Member, clean_text
from parsers.errors import DecompressionBomb

_MIB: Final = 1024 * 1024
_PRODUCER_TITLE: Final = re.compile(
    r"(?:microsoft \w+ - .*|untitled.*|powerpoint presentation|pr[äé]sentation powerpoint"
    r"|slide \d+|(?:document|dokument|presentation|book)\s?\d*|(?:layout|page)\s?\d+|.*\.\w{2,5})",
    re.I,
)
"""Titles that a program wrote for want of one: `Microsoft Word - memo.doc`."""
_PLACEHOLDERS: Final = frozenset(
    {"anonymous", "unspecified", "unknown", "none", "user", "contents", "table of contents"}
)
_NAMES: Final = {"author": "Author", "subject": "Subject", "keywords": "Keywords"}
_DATES: Final = {"created": "CreationDate", "modified": "ModDate"}
_DATE: Final = re.compile(
    r"(?:D:)?(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)?)?)?)?)?"
    r"(?:(Z)|([+-])(\d\d)'?(\d\d)?'?)?"
)


def title_of(stated: str) -> str:
    """The title that the document states, if it reads as one."""
    title = " ".join(clean_text(stated).split())
    if not any(map(str.isalpha, title)) or _is_placeholder(title):
        return ""
    return "" if _PRODUCER_TITLE.fullmatch(title) else title


def _is_placeholder(value: str) -> bool:
    return value.casefold().strip("()") in _PLACEHOLDERS


def properties_of(stated: Callable[[str], str]) -> dict[str, str]:
    """Author, subject and keywords as stated, and the dates in ISO 8601.

    Args:
        stated: Gives the value of a name in the document's information, or an empty text.
    """
    found = {name: " ".join(clean_text(stated(key)).split()) for name, key in _NAMES.items()}
    found |= {name: iso_date(stated(key)) for name, key in _DATES.items()}
    return {name: value for name, value in found.items() if value and not _is_placeholder(value)}


def iso_date(stated: str) -> str:
    """`D:20240229093000+01'00'` as `2024-02-29T09:30:00+01:00`; empty if it is no such date."""
    match = _DATE.match(stated.strip())
    if match is None:
        return ""
    year, month, day, hour, minute, second, zulu, sign, zone_hour, zone_minute = match.groups()
    date = "-".join(filter(None, (year, month, day)))
    if not (day and hour and minute):
        return date
    zone = "Z" if zulu else f"{sign}{zone_hour}:{zone_minute or '00'}" if sign else ""
    return f"{date}T{hour}:{minute}:{second or '00'}{zone}"


def named_apart(files: Iterable[Member], options: ParseOptions) -> tuple[Member, ...]:
    """The files under names that no two share.

    Raises:
        DecompressionBomb: There are more of them, or more bytes in all, than `options` allow.
    """
    members: dict[str, Member] = {}
    n_bytes = 0
    for number, file in enumerate(files, 1):
        n_bytes += len(file.data)
        if number > options.max_members or n_bytes > options.max_unpacked_mib * _MIB:
            raise DecompressionBomb(f"{number} or more attachments of {n_bytes // _MIB} MiB")
        name = clean_text(file.name).strip() or f"attachment-{number}"
        name = _unlike(name, number, members)
        members[name] = replace(file, name=name)
    return tuple(members.values())


def _unlike(name: str, number: int, taken: Collection[str]) -> str:
    stem, dot, suffix = name.rpartition(".") if "." in name else (name, "", "")
    while name in taken:
        name = f"{stem}-{number}{dot}{suffix}"
        number += 1
    return name
