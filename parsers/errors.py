"""Errors that are the document's fault, one class for each thing that a person can act on.

    ParseError
    ├── Encrypted
    ├── Corrupt
    ├── EmptyFile
    ├── UnsupportedType
    ├── TypeMismatch
    ├── TooManyPages
    └── DecompressionBomb

What ends the worker itself (time, memory, a crash) is found by the sandbox, a file that is too
large by whoever fetches it, and what is wrong with the text by the quality gate: those have a
`Reason` but are never raised.
"""

from typing import ClassVar

from parsers.reasons import REMEDIES, Reason


class ParseError(Exception):
    """A document cannot be read, and will not be readable until it or the settings change."""

    code: ClassVar[Reason]

    def __init__(self, detail: str) -> None:
        """`detail` says what was found, in one line and without any text of the document."""
        super().__init__(detail)
        self.detail = detail

    @property
    def remedy(self) -> str:
        return REMEDIES[self.code]


class Encrypted(ParseError):
    """The file needs a password to be read."""

    code = Reason.ENCRYPTED


class Corrupt(ParseError):
    """The file claims a type and does not keep to it, so that no engine of ours opens it."""

    code = Reason.CORRUPT


class EmptyFile(ParseError):
    """The file has no bytes."""

    code = Reason.EMPTY_FILE


class UnsupportedType(ParseError):
    """No parser reads this type."""

    code = Reason.UNSUPPORTED_TYPE


class TypeMismatch(ParseError):
    """The name promises a type that the content is not."""

    code = Reason.TYPE_MISMATCH


class TooManyPages(ParseError):
    """The document has more pages than `limits.max_pages`."""

    code = Reason.TOO_MANY_PAGES


class DecompressionBomb(ParseError):
    """The file unpacks to more than `limits.max_unpacked_mib`."""

    code = Reason.DECOMPRESSION_BOMB
