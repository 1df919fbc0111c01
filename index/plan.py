"""What a run has to do with each document: the source as listed against the catalog as it is.

Pure: nothing is read, asked or changed here.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache, partial
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
    LEFT = "left"
    """It is to be read, and a later run will: this one had as many as it may read."""
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
    parts: "tuple[Listed, ...]" = ()
    """The files that it is gathered from, where it is none itself."""
    shared: "tuple[Listed, ...]" = ()
    """With `parts`: the files that tell how to read them, which other documents need as well."""
    sidecars: "tuple[Listed, ...]" = ()
    """The files beside it that say something of it."""
    has_version: bool = False
    """Whether its stat token holds a version that the source gives to contents."""


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
    n_bytes: int
    media_type: str
    parser_key: str
    """Parser and options that were used; for a quarantined one the limits too."""
    searchable: bool
    code: Reason | None
    """Why it is in quarantine; None if it is not."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A document that the configuration excludes, and the rule that does."""

    listed: Listed
    rule: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Each listed document, and each member of one that holds still, is in one of the first five,
    or in the last.

    Documents below a folder that could not be listed are in none: they may still be there.
    """

    read: tuple[Listed, ...]
    unchanged: tuple[Known, ...]
    still_quarantined: tuple[Known, ...]
    """Known to be bad, and nothing changed that could help: not tried again."""
    skipped: tuple[Skip, ...]
    still_skipped: tuple[Known, ...]
    """Members that a rule excludes, as it did before."""
    removed: tuple[Known, ...]
    """Listed no more, or inside of a container that is excluded now."""
    retired: tuple[Known, ...]
    """Searchable until now, but a rule excludes them: among `skipped` too."""
    left: tuple[Listed, ...] = ()
    """To be read by a later run: see `index.pacing`."""

    @property
    def n_found(self) -> int:
        n_known = len(self.unchanged) + len(self.still_quarantined) + len(self.still_skipped)
        return len(self.read) + n_known + len(self.skipped) + len(self.left)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a document must have been read with for its result still to hold."""

    parser_key: Callable[[str], str]
    """Of a media type, for documents that were read."""
    failure_key: Callable[[str, Reason], str]
    """Of a media type and what was wrong, for documents that could not be read."""


MEMBER: Final = "!/"
"""In a uri: what follows lies in the document before it, an archive or a mail."""
EXCLUDED_INSIDE: Final = "excluded inside"
"""In place of a parser key: its container's parser leaves it out, by an option of the parser's."""
ERASED: Final = "erased"
"""The rule that excludes documents that were erased."""
EVERYTHING: Final = ("**/*",)


def make_plan(
    listing: Sequence[Listed],
    known: Mapping[str, Known],
    expected: Expectation,
    *,
    include: Sequence[str] = EVERYTHING,
    exclude: Sequence[str] = (),
    erased: Collection[str] = (),
    verify: bool = False,
) -> Plan:
    """Decide for each document.

    Args:
        listing: All documents of the source.
        known: By uri, those that the catalog has and that were not gone at the last run.
        expected: What a result must have been made with to hold still.
        include: Glob patterns on the uri; a document must match one.
        exclude: Glob patterns on the uri; a document must match none.
        erased: Uris of documents that are kept away, with all that they hold.
        verify: Read all bytes, even where the listing says that nothing changed.
    """
    read: list[Listed] = []
    skipped: list[Skip] = []
    removed: list[Known] = []
    retired: list[Known] = []
    held: list[Known] = []
    gone = dict(known)
    inside = by_container(known.values())
    rule_against = rules(include, exclude, erased)
    # The files that a document is gathered from are included, or it would not have been.
    rule_on_gathered = rules(EVERYTHING, exclude, erased)
    unlisted = tuple(one.uri for one in listing if one.unreadable and one.uri.endswith("/"))
    for listed in listing:
        before = gone.pop(listed.uri, None)
        members = inside.get(listed.uri, ())
        for member in members:
            gone.pop(member.uri)
        if rule := listed.skip_rule or (rule_on_gathered if listed.parts else rule_against)(
            listed.uri
        ):
            skipped.append(Skip(listed, rule))
            retired += [before] if before and before.outcome is not Outcome.SKIPPED else []
            removed += members
        elif (
            before is not None
            and not verify
            and _seems_to_hold(listed, before)
            and holds(before, members, expected, rule_against)
        ):
            held += [before, *members]
        else:
            read.append(listed)
    # With a slash, for what is gathered from a folder is gone no more than the folder is.
    removed += [one for uri, one in gone.items() if not f"{uri}/".startswith(unlisted)]
    bad = [one for one in held if one.outcome is Outcome.QUARANTINED]
    excluded = [one for one in held if one.outcome is Outcome.SKIPPED]
    good = [one for one in held if one.outcome not in (Outcome.QUARANTINED, Outcome.SKIPPED)]
    return Plan(
        tuple(read),
        tuple(good),
        tuple(bad),
        tuple(skipped),
        tuple(excluded),
        tuple(removed),
        tuple(retired),
    )


def by_container(known: Iterable[Known]) -> dict[str, list[Known]]:
    """Of every document that holds others, by its uri, all that it holds, at any depth."""
    inside: dict[str, list[Known]] = {}
    for one in known:
        container, *path = one.uri.split(MEMBER)
        for name in path:
            inside.setdefault(container, []).append(one)
            container += MEMBER + name
    return inside


def unlike_member(uri: str) -> str:
    """A uri that cannot be taken for one of a document within another."""
    return uri.replace(MEMBER, "%21/")


def holds(
    before: Known,
    members: Iterable[Known],
    expected: Expectation,
    rule_against: Callable[[str], str],
) -> bool:
    """Whether what was made of a document, and of what it holds, is what would be made of the same
    bytes now.
    """
    return _made_as(before, expected) and all(
        _member_holds(member, expected, excluded=bool(rule_against(member.uri)))
        for member in members
    )


def rules(
    include: Sequence[str], exclude: Sequence[str], erased: Collection[str] = ()
) -> Callable[[str], str]:
    """A function from a uri to the rule that excludes it, empty if none does."""
    by_pattern = partial(_excluding_rule, include=tuple(include), exclude=tuple(exclude))
    away = frozenset(erased)
    return lambda uri: ERASED if _is_erased(uri, away) else by_pattern(uri)


def _is_erased(uri: str, erased: frozenset[str]) -> bool:
    """Whether a document, or one that it lies in, is among `erased`."""
    parts = uri.split(MEMBER)
    return any(MEMBER.join(parts[:n]) in erased for n in range(1, len(parts) + 1))


def _seems_to_hold(listed: Listed, before: Known) -> bool:
    """Judged by the listing, unread."""
    return not listed.unreadable and listed.stat_token == before.stat_token and before.stat_trusted


def _member_holds(member: Known, expected: Expectation, *, excluded: bool) -> bool:
    if member.outcome is Outcome.SKIPPED:
        return excluded or member.parser_key == EXCLUDED_INSIDE
    return not excluded and _made_as(member, expected)


def _made_as(before: Known, expected: Expectation) -> bool:
    if before.outcome is Outcome.SKIPPED:
        return False
    if before.outcome is Outcome.QUARANTINED:
        if before.code is None or before.code in WORLD_AT_FAULT:
            return False
        return before.parser_key == expected.failure_key(before.media_type, before.code)
    return before.parser_key == expected.parser_key(before.media_type)


def _excluding_rule(uri: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> str:
    for pattern in exclude:
        # `folder/**` is also what stands for the folder: a conversation, in an archive say.
        if _glob(pattern).match(uri) or _glob(pattern.removesuffix("/**")).match(uri):
            return f"exclude {pattern}"
    if include != EVERYTHING and not any(_glob(pattern).match(uri) for pattern in include):
        return "not in include"
    return ""


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(glob_translate(pattern))
