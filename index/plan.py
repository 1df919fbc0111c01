"""What a run has to do with each document: the source as listed against the catalog as it is.

Pure: nothing is read, asked or changed here.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Final

from fsspec.utils import glob_translate

from parsers.reasons import WORLD_AT_FAULT, Reason


class Outcome(StrEnum):
    """What a run did with a document; exactly one for each document and run."""

    INDEXED = "indexed"
    PARTIAL = "partial"
    """Searchable, but something in it could not be read."""
    UNCHANGED = "unchanged"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"
    """A rule of the configuration excludes it."""
    REMOVED = "removed"
    """Gone from its source. Not among those found."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A document as its source lists it."""

    uri: str
    """Path below the root of the source, with `/`; whatever is not UTF-8 in it is escaped."""
    location: str
    """How to open it."""
    n_bytes: int
    modified_at: datetime | None
    """None where the source does not say."""
    stat_token: str
    """Equal to that of an earlier listing only if the bytes are the same, as far as can be told."""
    skip_rule: str = ""
    """Why it is not even looked at: not a file, say. Empty for all others."""
    unreadable: str = ""
    """Why the source does not give it away; empty if it seems to."""


@dataclass(frozen=True, slots=True)
class Known:
    """A document as the catalog remembers it."""

    document_id: str
    uri: str
    outcome: Outcome
    stat_token: str
    stat_trusted: bool
    """False if it was read so soon after it was written that a change may not show."""
    sha256: str | None
    """Of the bytes last read; None if they could not be."""
    media_type: str
    parser_key: str
    """Parser and options that were used; for a quarantined one the limits too."""
    generation: str | None
    """In which it is searchable; None if it is not."""
    code: Reason | None
    """Why it is in quarantine; None if it is not."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A document that the configuration excludes, and the rule that does."""

    listed: Listed
    rule: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Each listed document is in exactly one of the first four; `removed` are listed no more.

    Documents below a folder that could not be listed are in none: they may still be there.
    """

    read: tuple[Listed, ...]
    unchanged: tuple[Known, ...]
    still_quarantined: tuple[Known, ...]
    """Known to be bad, and nothing changed that could help: not tried again."""
    skipped: tuple[Skip, ...]
    removed: tuple[Known, ...]
    retired: tuple[Known, ...]
    """Searchable until now, but a rule excludes them: among `skipped` too."""

    @property
    def n_found(self) -> int:
        n_known = len(self.unchanged) + len(self.still_quarantined)
        return len(self.read) + n_known + len(self.skipped)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a document must have been read with for its result still to hold."""

    generation: str
    parser_key: Callable[[str], str]
    """Of a media type, for documents that were read."""
    failure_key: Callable[[str], str]
    """Of a media type, for documents that could not be read."""


EVERYTHING: Final = ("**/*",)


def make_plan(
    listing: Iterable[Listed],
    known: Mapping[str, Known],
    expected: Expectation,
    *,
    include: Sequence[str] = EVERYTHING,
    exclude: Sequence[str] = (),
    verify: bool = False,
) -> Plan:
    """Decide for each document.

    Args:
        listing: All documents of the source.
        known: By uri, those that the catalog has and that were not gone at the last run.
        expected: What a result must have been made with to hold still.
        include: Glob patterns on the uri; a document must match one.
        exclude: Glob patterns on the uri; a document must match none.
        verify: Read all bytes, even where the listing says that nothing changed.
    """
    read: list[Listed] = []
    unchanged: list[Known] = []
    quarantined: list[Known] = []
    skipped: list[Skip] = []
    retired: list[Known] = []
    gone = dict(known)
    unlisted: list[str] = []
    for listed in listing:
        if listed.unreadable and listed.uri.endswith("/"):
            unlisted.append(listed.uri)
        before = gone.pop(listed.uri, None)
        rule = listed.skip_rule or _excluding_rule(listed.uri, tuple(include), tuple(exclude))
        if rule:
            skipped.append(Skip(listed, rule))
            if before is not None and before.outcome is not Outcome.SKIPPED:
                retired.append(before)
        elif before is None or verify or not _holds(listed, before, expected):
            read.append(listed)
        elif before.outcome is Outcome.QUARANTINED:
            quarantined.append(before)
        else:
            unchanged.append(before)
    return Plan(
        tuple(read),
        tuple(unchanged),
        tuple(quarantined),
        tuple(skipped),
        tuple(one for uri, one in gone.items() if not uri.startswith(tuple(unlisted))),
        tuple(retired),
    )


def still_holds(before: Known, sha256: str, expected: Expectation) -> bool:
    """Whether what the last run made of a document is what this one would make of its bytes."""
    return sha256 == before.sha256 and _made_as(before, expected)


def _holds(listed: Listed, before: Known, expected: Expectation) -> bool:
    """As `still_holds`, judged by the listing, unread."""
    if listed.unreadable or listed.stat_token != before.stat_token or not before.stat_trusted:
        return False
    return _made_as(before, expected)


def _made_as(before: Known, expected: Expectation) -> bool:
    if before.outcome is Outcome.QUARANTINED:
        tried_in_vain = before.code is not None and before.code not in WORLD_AT_FAULT
        return tried_in_vain and before.parser_key == expected.failure_key(before.media_type)
    same_parser = before.parser_key == expected.parser_key(before.media_type)
    return same_parser and before.generation == expected.generation


def _excluding_rule(uri: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> str:
    for pattern in exclude:
        if _glob(pattern).match(uri):
            return f"exclude {pattern}"
    if include != EVERYTHING and not any(_glob(pattern).match(uri) for pattern in include):
        return "not in include"
    return ""


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(glob_translate(pattern))
