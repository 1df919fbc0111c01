"""Word, Excel and PowerPoint files under a password: opened, then read as what they are."""

from dataclasses import replace
from typing import Final

from parsers import registry
from parsers.contract import ParseTask
from parsers.document import ParsedDocument
from parsers.errors import Corrupt
from parsers.media_type import SEALED_OOXML, route
from parsers.office.encryption import VERSION as DECRYPTION_VERSION
from parsers.office.encryption import decrypt

NAME: Final = "sealed_office"
VERSION: Final = f"1+{DECRYPTION_VERSION}"


def parse(task: ParseTask) -> ParsedDocument:
    data = decrypt(task.data, task.passwords)
    media_type = route(data, "", registry.READABLE)
    if media_type == SEALED_OOXML:
        raise Corrupt("sealed, and nothing opens it")
    return registry.load(media_type).parse(replace(task, data=data, media_type=media_type))
