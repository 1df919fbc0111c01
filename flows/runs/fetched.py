"""A document's bytes as its source gave them away, or why it did not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parsers.reasons import Reason

SETTLED_S: Final = 2.0
"""A file written less than this before it was read may have changed again without a new time:
some file systems count in steps of two seconds."""


class SourceUnreadable(Exception):
    """A source cannot be listed. Worth trying again."""

    code = Reason.SOURCE_UNREADABLE


class DocumentUnreadable(Exception):
    """A document that was listed cannot be read; the message says what the source said."""


class DocumentTooLarge(Exception):
    """A document has more bytes than may be read."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document's bytes, and what its source said of it when they were read."""

    data: bytes
    sha256: str
    stat_token: str
    stat_trusted: bool
    modified_at: datetime | None
    sidecars: tuple[tuple[str, bytes], ...] = ()
    """Uri and bytes of the files beside it that say something of it."""
