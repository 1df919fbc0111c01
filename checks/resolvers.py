"""Where the value of a metadata field may come from, and which of these gives it.

Pure: whoever asks brings the answers, as functions, and only those that are needed are called.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Resolver(StrEnum):
    """What may give a field its value, in the order in which they are asked."""

    DOCUMENT = "document"
    """Its own front matter or properties."""
    SIDECAR = "sidecar"
    """The file beside it that says something of it."""
    PATH = "path"
    """A pattern on its uri."""
    LOOKUP = "lookup"
    """A service that the source's settings name."""
    DEFAULT = "default"
    """The source's settings."""


Ask = Callable[[str], str | None]
"""From a field to its value; None if there is none."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A value, and what gave it."""

    value: str
    resolver: Resolver


_CORRECTING: Final = (Resolver.SIDECAR, Resolver.PATH, Resolver.LOOKUP)
"""They say something of this very document, and may stand in for what it wrongly says of itself. A
default says nothing of it: a document that calls itself secret is not made public by one.
"""


def resolve(
    wanted: Iterable[str],
    wrong: Collection[str],
    resolvers: Sequence[tuple[Resolver, Ask]],
) -> dict[str, Resolved]:
    """The fields that get a value.

    Args:
        wanted: Fields that have no value, or a wrong one.
        wrong: Those with a value that the contract refused.
        resolvers: In the order in which they are asked.
    """
    found = {}
    for name in wanted:
        for resolver, ask in resolvers:
            if name in wrong and resolver not in _CORRECTING:
                continue
            if value := ask(name):
                found[name] = Resolved(value, resolver)
                break
    return found


def on_path(patterns: Mapping[str, re.Pattern[str]], uri: str) -> Ask:
    """Asks the group of a field's pattern that has the field's name."""

    def ask(name: str) -> str | None:
        match = patterns[name].search(uri) if name in patterns else None
        return match.group(name) if match else None

    return ask
