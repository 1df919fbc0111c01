"""When a document was changed at its source, as far as that can be told."""

from datetime import UTC, datetime
from typing import Final

_DAWN: Final = datetime(1980, 1, 2, tzinfo=UTC)
"""Earlier times are what file systems and archives put where they know none: 1970 and 1980."""


def changed_at(modified_at: datetime | None, seen_at: datetime, now: datetime) -> datetime:
    """The modification time; when it was first seen where that is missing or cannot be true.

    Args:
        modified_at: What the source says.
        seen_at: When this content was first seen.
        now: No change can have been later.
    """
    return modified_at if modified_at is not None and _DAWN <= modified_at <= now else seen_at
