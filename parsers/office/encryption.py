"""Office files under a password, OOXML and the formats before it, opened by msoffcrypto-tool."""

import io
import struct
import zipfile
from collections.abc import Iterable
from importlib.metadata import version
from typing import Final, Protocol, cast
from xml.parsers.expat import ExpatError

import msoffcrypto
from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError
from msoffcrypto.exceptions import ParseError as LayoutError

from parsers.errors import Corrupt, Encrypted

VERSION: Final = f"msoffcrypto-tool {version('msoffcrypto-tool')}"
"""To be part of the version of every parser that decrypts."""

_PROGRAMS_OWN: Final = ("VelvetSweatshop", "/01Hannes Ruescher/01")
"""What Excel and PowerPoint seal a file with when they only protect it against changes."""
_MAX_PASSWORD_CHARACTERS: Final = 255
"""Longer than any office program takes (MS-OFFCRYPTO 2.3.4.11)."""
_MALFORMED: Final = (
    FileFormatError,
    LayoutError,
    ExpatError,
    zipfile.BadZipFile,
    struct.error,
    OSError,
    AssertionError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
"""How msoffcrypto-tool, olefile and cryptography fail on files that are not what they claim."""


class _Sealed(Protocol):
    def is_encrypted(self) -> bool: ...
    def load_key(self, *, password: str) -> None: ...
    def decrypt(self, outfile: io.BytesIO) -> None: ...


def decrypt(data: bytes, passwords: Iterable[str]) -> bytes:
    """The office file that `data` seals; `data` itself where nothing seals it.

    The passwords that office programs use on their own are tried before `passwords`.

    Raises:
        Encrypted: None of the passwords opens it, or the way it is sealed is not known.
        Corrupt: It is sealed, and what should open it is damaged.
    """
    if not is_encrypted(data):
        return data
    tried = dict.fromkeys((*_PROGRAMS_OWN, *passwords))
    for password in tried:
        if password and len(password) <= _MAX_PASSWORD_CHARACTERS:
            opened = _opened(data, password)
            if opened is not None:
                return opened
    raise Encrypted(f"none of {len(tried)} passwords opens it")


def is_encrypted(data: bytes) -> bool:
    """Whether it is sealed; what is too damaged to tell is for its parser to judge."""
    try:
        return bool(_office_file(data).is_encrypted())
    except DecryptionError:
        return True  # In a way that msoffcrypto-tool does not know.
    except _MALFORMED:
        return False


def _office_file(data: bytes) -> _Sealed:
    return cast(_Sealed, msoffcrypto.OfficeFile(io.BytesIO(data)))


def _opened(data: bytes, password: str) -> bytes | None:
    """What the password opens; None if it is the wrong one."""
    out = io.BytesIO()
    try:
        sealed = _office_file(data)
        sealed.load_key(password=password)
        sealed.decrypt(out)
    except InvalidKeyError:
        return None
    except (DecryptionError, ValueError) as error:  # A cipher that it, or cryptography, lacks.
        raise Encrypted(f"msoffcrypto-tool: {type(error).__name__}") from error
    except _MALFORMED as error:
        raise Corrupt(f"msoffcrypto-tool: {type(error).__name__}") from error
    return out.getvalue()
