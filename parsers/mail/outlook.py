"""Outlook messages (MSG): the storage is read by python-oxmsg, its properties here.

The library reads them all or none, and fails on the first character that does not fit.
"""

import io
import struct
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import version
from typing import Final

import olefile
from oxmsg.domain import constants as pid
from oxmsg.domain.encodings import encoding_from_codepage
from oxmsg.domain.model import UnrecognizedCodePageError
from oxmsg.storage import Storage

from parsers.contract import ParseOptions, ParseTask
from parsers.document import Member, ParsedDocument
from parsers.errors import Corrupt, Encrypted
from parsers.mail.charsets import decode_as
from parsers.mail.document import Body, Mail, document
from parsers.mail.headers import AS_WRITTEN, header, people, sent_at, utc
from parsers.mail.outlook_rtf import unpacked
from parsers.mail.parser import VERSION as MAIL_VERSION
from parsers.mail.parser import read
from parsers.mail.source import as_bytes
from parsers.media_type import RTF
from parsers.reasons import Reason
from parsers.rtf import parser as rtf

NAME: Final = "outlook"
VERSION: Final = f"1+oxmsg-{version('python-oxmsg')}+rtf-{rtf.VERSION}+mail-{MAIL_VERSION}"

_MALFORMED: Final = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
)
"""How olefile and python-oxmsg fail on files that are not what they claim to be."""

_STRING: Final = 0x001F
_STRING8: Final = 0x001E
_BINARY: Final = 0x0102
_MESSAGE_HEAD_BYTES: Final = 32
_EMBEDDED_HEAD_BYTES: Final = 24
_PART_HEAD_BYTES: Final = 8
"""Of a property stream, before the first property ([MS-OXMSG] 2.4.1)."""
_EMBEDDED: Final = "__substg1.0_3701000D"
_PROPERTIES: Final = "__properties_version1.0"
_FIXED: Final = struct.Struct("<HHIQ")
"""Type, code, flags and value of a property."""
_FIRST_DAY: Final = datetime(1601, 1, 1, tzinfo=UTC)
_TO: Final = 1
_CC: Final = 2
_BY_VALUE: Final = 1
_SIGNED_CLASS: Final = "IPM.Note.SMIME.MultipartSigned"
_SEALED_CLASSES: Final = ("IPM.Note.SMIME", "IPM.Note.Secure", "IPM.Note.rpmsg")
_SEALED_TYPES: Final = ("application/pgp-encrypted", "application/x-microsoft-rpmsg-message")


def parse(task: ParseTask) -> ParsedDocument:
    try:
        mail = _mail(_Node(_storage(task.data), _MESSAGE_HEAD_BYTES), task.options)
    except _MALFORMED as error:
        raise Corrupt(f"msg: {type(error).__name__}") from error
    return document(mail, task, NAME, VERSION)


def _storage(data: bytes) -> Storage:
    """All streams. Some that share their bytes, or run in circles, would fill the memory."""
    strict = olefile.DEFECT_INCORRECT
    with olefile.OleFileIO(io.BytesIO(data), raise_defects=strict) as container:
        entries = [entry for entry in container.direntries if entry is not None]
        sizes = [entry.size for entry in entries if entry.entry_type == olefile.STGTY_STREAM]
        if sum(sizes) > len(data):
            raise Corrupt(f"{len(sizes)} streams claim more bytes than the file has")
        return Storage.from_ole(container)


class _Node:
    """A message, a recipient or an attachment: properties that are read without complaint."""

    def __init__(self, storage: Storage, n_head_bytes: int, charset: str = "") -> None:
        self.storage = storage
        self._fixed = _fixed(storage.properties_stream_bytes[n_head_bytes:])
        self.charset = charset or self._charset(pid.PID_MESSAGE_CODEPAGE) or "cp1252"

    def _charset(self, *wanted: int) -> str:
        return next((name for code in wanted if (name := _encoding(self.number(code)))), "")

    def text(self, *wanted: int) -> str:
        """The first of these properties that is not empty."""
        for code in wanted:
            if data := self._stream(code, _STRING):
                return data.decode("utf-16-le", "replace").rstrip("\x00")
            if data := self._stream(code, _STRING8):
                return decode_as(data.rstrip(b"\x00"), self.charset)
        return ""

    def html(self) -> str:
        if data := self.binary(pid.PID_HTML):
            charset = self._charset(pid.PID_INTERNET_CODEPAGE, pid.PID_MESSAGE_CODEPAGE)
            return decode_as(data, charset or "utf-8")
        return self.text(pid.PID_BODY_HTML)

    def binary(self, code: int) -> bytes:
        return self._stream(code, _BINARY)

    def number(self, code: int) -> int:
        return self._fixed.get(code, 0) & 0xFFFFFFFF

    def time(self, *wanted: int) -> str:
        """The first of these points in time, in ISO 8601 UTC."""
        ticks = next((self._fixed[code] for code in wanted if code in self._fixed), 0)
        try:
            return utc(_FIRST_DAY + timedelta(microseconds=ticks // 10)) if ticks else ""
        except OverflowError:
            return ""

    def _stream(self, code: int, kind: int) -> bytes:
        try:
            return self.storage.property_stream_bytes(code, kind)
        except KeyError:
            return b""


def _fixed(stream: bytes) -> dict[int, int]:
    """Properties of a fixed size, as numbers of eight bytes."""
    whole = stream[: len(stream) // _FIXED.size * _FIXED.size]
    return {code: value for _, code, _, value in _FIXED.iter_unpack(whole)}


def _encoding(codepage: int) -> str:
    try:
        return encoding_from_codepage(codepage) if codepage else ""
    except UnrecognizedCodePageError:
        return ""


def _mail(message: _Node, options: ParseOptions) -> Mail:
    kind = message.text(pid.PID_MESSAGE_CLASS)
    parts = [
        _Node(storage, _PART_HEAD_BYTES, message.charset)
        for storage in message.storage.iter_attachment_storages()
    ]
    if kind == _SIGNED_CLASS and len(parts) == 1:
        return read(parts[0].binary(pid.PID_ATTACH_DATA_BINARY))
    sealed = any(part.text(pid.PID_ATTACH_MIME_TAG) in _SEALED_TYPES for part in parts)
    if sealed or kind.startswith(_SEALED_CLASSES):
        raise Encrypted("the mail is sealed for its recipients")
    body = _body(message, options)
    attached = [part for part in parts if not _is_shown(part, body.html)]
    attachments = tuple(_attachment(part, options) for part in attached)
    return Mail(_properties(message), (body,), attachments)


def _body(message: _Node, options: ParseOptions) -> Body:
    body = Body(message.text(pid.PID_BODY), message.html())
    packed = message.binary(pid.PID_RTF_COMPRESSED)
    if body.plain.strip() or body.html.strip() or not packed:
        return body
    task = ParseTask(unpacked(packed), RTF, options)
    return Body(plain=rtf.parse(task).text)


def _properties(message: _Node) -> dict[str, str]:
    sent = HeaderParser(policy=AS_WRITTEN).parsestr(message.text(pid.PID_TRANSPORT_MESSAGE_HEADERS))
    return {
        "subject": message.text(pid.PID_SUBJECT) or header(sent, "Subject"),
        "from": people(sent, "From") or _sender(message),
        "to": people(sent, "To") or _recipients(message, _TO, pid.PID_DISPLAY_TO),
        "cc": people(sent, "Cc") or _recipients(message, _CC, pid.PID_DISPLAY_CC),
        "date": _date(message, sent),
        "message_id": message.text(pid.PID_INTERNET_MESSAGE_ID) or header(sent, "Message-ID"),
        "in_reply_to": message.text(pid.PID_IN_REPLY_TO_ID) or header(sent, "In-Reply-To"),
    }


def _date(message: _Node, sent: Message) -> str:
    stated = sent_at(header(sent, "Date"))
    return stated or message.time(pid.PID_CLIENT_SUBMIT_TIME, pid.PID_MESSAGE_DELIVERY_TIME)


def _sender(message: _Node) -> str:
    name = message.text(pid.PID_SENDER_NAME, pid.PID_SENT_REPRESENTING_NAME)
    address = message.text(pid.PID_SENDER_SMTP_ADDRESS, pid.PID_SENDER_EMAIL_ADDRESS)
    return _person(name, address)


def _recipients(message: _Node, kind: int, otherwise: int) -> str:
    nodes = [
        _Node(storage, _PART_HEAD_BYTES, message.charset)
        for storage in message.storage.iter_recipient_storages()
    ]
    found = [
        _person(
            node.text(pid.PID_DISPLAY_NAME), node.text(pid.PID_SMTP_ADDRESS, pid.PID_EMAIL_ADDRESS)
        )
        for node in nodes
        if node.number(pid.PID_RECIPIENT_TYPE) == kind
    ]
    return ", ".join(person for person in found if person) or message.text(otherwise)


def _person(name: str, address: str) -> str:
    """Addresses without `@` are those of a directory, which say nothing outside of it."""
    name = name.strip(" '\"")
    if "@" not in address:
        return name
    return f"{name} <{address}>" if name and name != address else address


def _is_shown(part: _Node, markup: str) -> bool:
    """Whether it is a picture that stands in the text."""
    name = part.text(pid.PID_ATTACH_CONTENT_ID).strip("<>")
    is_picture = part.text(pid.PID_ATTACH_MIME_TAG).startswith("image/")
    return is_picture and bool(name) and f"cid:{name}".lower() in markup.lower()


def _attachment(part: _Node, options: ParseOptions) -> Member:
    name = part.text(pid.PID_ATTACH_LONG_FILENAME, pid.PID_ATTACH_FILENAME, pid.PID_DISPLAY_NAME)
    inner = next((child for child in part.storage.storages if child.name == _EMBEDDED), None)
    if inner is None:
        return _file(part, name or "attachment")
    if not any(stream.name == _PROPERTIES for stream in inner.streams):
        return Member(name or "object", b"", Reason.UNSUPPORTED_TYPE, "an embedded OLE object")
    try:
        mail = _mail(_Node(inner, _EMBEDDED_HEAD_BYTES), options)
    except (Encrypted, Corrupt) as error:
        return Member(name or "message.eml", b"", error.code, error.detail)
    subject = mail.properties["subject"].strip() or name or "message"
    return Member(f"{subject}.eml", as_bytes(mail))


def _file(part: _Node, name: str) -> Member:
    data = part.binary(pid.PID_ATTACH_DATA_BINARY)
    if not data and part.number(pid.PID_ATTACH_METHOD) not in (0, _BY_VALUE):
        return Member(name, b"", Reason.UNSUPPORTED_TYPE, "only a link to it is attached")
    return Member(name, data)
