"""What a source demands of a metadata field, and how serious it is."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    WARNING = "warning"
    """Recorded and shown; blocks nothing."""
    ERROR = "error"
    """What breaks it does not become searchable."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What a field of a source's documents has to be."""

    name: str
    required: bool = False
    """Present, and not blank."""
    allowed: tuple[str, ...] = ()
    """The values that it may have; any if empty."""
    pattern: str = ""
    """A regular expression that is found in every value; none if empty."""
    severity: Severity = Severity.ERROR
