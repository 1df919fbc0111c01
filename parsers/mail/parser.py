"""Mails (EML) and mailboxes (MBOX).

The standard library's parser is used with its old policy: the new one fails on many malformed
headers, and its time grows with the square of a long one.
"""

import codecs
import hashlib
import re
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from importlib.metadata import version
from typing import Final

from parsers.archives.member_names import DistinctNames
from parsers.contract import ParseTask
from parsers.document import Member, ParsedDocument
from parsers.errors import Corrupt, EmptyFile
from parsers.mail.document import Mail, document
from parsers.mail.headers import AS_WRITTEN, decoded, header, people, sent_at
from parsers.mail.parts import contents
from parsers.media_type import MBOX
from parsers.text_encoding import decode
from parsers.unpacking import check_count
from parsers.web.blocks import VERSION as BLOCKS_VERSION

NAME: Final = "mail"
VERSION: Final = f"1+asn1crypto-{version('asn1crypto')}+{BLOCKS_VERSION}"

_MALFORMED: Final = (MessageError, RecursionError)
_HEAD_BYTES: Final = 1024
_SEPARATOR: Final = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]{0,200}\d:\d\d[^\n]{0,200}\n"
)
_ESCAPED: Final = re.compile(rb"^>(>*From )", re.M)
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_NOT_A_WORD: Final = re.compile(r"[\W_]+")
_MAX_SLUG_CHARACTERS: Final = 60


def parse(task: ParseTask) -> ParsedDocument:
    if not task.data.strip():
        raise EmptyFile("nothing but white space")
    if task.media_type == MBOX:
        return _mailbox(task)
    return document(read(task.data), task, NAME, VERSION)


def read(data: bytes) -> Mail:
    """The contents of a mail.

    Raises:
        Corrupt: It has no headers, or its parts lie too deep in each other.
        Encrypted: It can be read only with a key.
    """
    message = _message(data)
    try:
        bodies, attachments = contents(message)
    except _MALFORMED as error:
        raise Corrupt(f"mail: {type(error).__name__}") from error
    properties = {
        "subject": header(message, "Subject"),
        "from": people(message, "From"),
        "to": people(message, "To"),
        "cc": people(message, "Cc"),
        "date": sent_at(header(message, "Date")),
        "message_id": header(message, "Message-ID"),
        "in_reply_to": header(message, "In-Reply-To"),
    }
    return Mail(properties, tuple(bodies), tuple(attachments))


def _message(data: bytes) -> Message:
    if b"\x00" in data[:_HEAD_BYTES]:
        data = decode(data)[0].encode()  # Saved as UTF-16, which no mail is sent in.
    try:
        message = message_from_bytes(data.removeprefix(codecs.BOM_UTF8).lstrip(), policy=AS_WRITTEN)
    except _MALFORMED as error:
        raise Corrupt(f"mail: {type(error).__name__}") from error
    if not message.keys():
        raise Corrupt("it has no headers of a mail")
    return message


def _mailbox(task: ParseTask) -> ParsedDocument:
    """Each mail is a member of its own, so that a bad one does not take the others with it."""
    separators = list(_SEPARATOR.finditer(task.data))
    if not separators or task.data[: separators[0].start()].strip():
        raise Corrupt("it does not begin with a separator of mails")
    check_count(len(separators), task.options)
    ends = [*(separator.start() for separator in separators[1:]), len(task.data)]
    names = DistinctNames()
    members = []
    for separator, end in zip(separators, ends, strict=True):
        mail = _ESCAPED.sub(rb"\1", task.data[separator.end() : end])
        members.append(Member(names.name(_member_name(mail)), mail))
    return ParsedDocument(
        text="",
        blocks=(),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        members=tuple(members),
    )


def _member_name(mail: bytes) -> str:
    """From its subject and identity, so that it stays when other mails come or go."""
    message = message_from_bytes(_END_OF_HEAD.split(mail, 1)[0], policy=AS_WRITTEN)
    subject = _NOT_A_WORD.sub("-", decoded(header(message, "Subject")).lower()).strip("-")
    identity = (header(message, "Message-ID") or "").encode("utf-8", "replace") or mail
    digest = hashlib.sha256(identity).hexdigest()[:12]
    return f"{subject[:_MAX_SLUG_CHARACTERS].strip('-') or 'mail'}-{digest}.eml"
