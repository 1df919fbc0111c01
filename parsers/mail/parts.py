"""The parts of a mail: what it says in plain text and HTML, and what is attached."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, message_from_string
from email.generator import BytesGenerator
from email.message import Message
from io import BytesIO
from typing import Final, cast

from parsers.document import Member
from parsers.errors import Encrypted
from parsers.mail.charsets import decode_as
from parsers.mail.document import Body
from parsers.mail.headers import AS_WRITTEN, decoded, header
from parsers.mail.signed_content import signed_content
from parsers.reasons import Reason

_LEFT_OUT: Final = frozenset(
    {
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
        "text/x-amp-html",
    }
)
"""Signatures, and a second HTML form of the same words."""
_SEALED: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_REPORTS: Final = frozenset({"message/delivery-status", "message/disposition-notification"})
_FILES: Final = frozenset({"text/calendar", "text/vcard", "text/x-vcard", "text/rtf"})
_SUFFIXES: Final = {
    "text/plain": "txt",
    "text/calendar": "ics",
    "message/rfc822": "eml",
    "image/jpeg": "jpg",
    "application/octet-stream": "bin",
}
_CONTENT_ID: Final = re.compile(r"cid:([^\"'\s>)]+)", re.I)
_DECLARED: Final = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]{1,40})", re.I)
_LOOKS_LIKE_BOUNDARY: Final = re.compile(r"(?m)^--\S[^\n]*\n(?=Content-[\w-]+:)")
_CLOSING_BOUNDARY: Final = re.compile(r"(?m)^--\S+--[ \t\r]*$")
_SOFT_BREAK: Final = re.compile(r"(?m)^(?!-- $)(?!>)(.*) \n(?=[^>\n])")
"""The end of a line that goes on in the next, in text that is sent as flowed (RFC 3676)."""
_UNWRITABLE: Final = (UnicodeError, LookupError, ValueError, TypeError, AttributeError)
"""How the generator fails on messages with broken headers."""


@dataclass(slots=True)
class _Found:
    bodies: list[Body] = field(default_factory=list)
    files: list[Message] = field(default_factory=list)


def contents(message: Message) -> tuple[list[Body], list[Member]]:
    """What it says, and its attachments; pictures that are shown in the text are none.

    Raises:
        Encrypted: It can be read only with a key.
    """
    found = _Found()
    _visit(message, found)
    shown = {name.lower() for body in found.bodies for name in _CONTENT_ID.findall(body.html)}
    files = [part for part in found.files if not _is_shown(part, shown)]
    return found.bodies, list(_members(files))


def _visit(part: Message, found: _Found) -> None:
    kind = part.get_content_type()
    if kind == "multipart/encrypted":
        raise Encrypted("the mail is sealed for its recipients")
    if kind in _SEALED:
        _visit(_inside_signature(part), found)
    elif kind == "multipart/alternative":
        _visit_alternatives(part, found)
    elif kind.startswith("multipart/"):
        for child in _children(part):
            _visit(child, found)
    elif kind not in _LEFT_OUT:
        _keep(part, kind, found)


def _keep(part: Message, kind: str, found: _Found) -> None:
    if kind in _REPORTS:
        found.bodies.append(Body(plain=_report(part)))
    elif _is_body(part, kind, found):
        found.bodies.append(_body(part, kind))
    else:
        found.files.append(part)


def _inside_signature(part: Message) -> Message:
    """The mail inside one that was wrapped whole into its signature (RFC 8551, 3.5.2)."""
    inner = signed_content(_payload(part))
    if inner is None:
        raise Encrypted("the mail is sealed for its recipients")
    return message_from_bytes(inner, policy=AS_WRITTEN)


def _visit_alternatives(part: Message, found: _Found) -> None:
    """Its parts say the same in different forms, so that they make one body."""
    inner = _Found()
    for child in _children(part):
        _visit(child, inner)
    plain = "\n\n".join(body.plain for body in inner.bodies if body.plain)
    found.bodies.append(Body(plain, "\n".join(body.html for body in inner.bodies)))
    found.files.extend(inner.files)


def _children(part: Message) -> list[Message]:
    """The parts of a part; found by how they begin where the announced boundary is not there."""
    children = part.get_payload()
    if isinstance(children, list):
        return cast(list[Message], children)
    if part.get_content_maintype() != "multipart":
        return []
    first, *others = _LOOKS_LIKE_BOUNDARY.split(_CLOSING_BOUNDARY.sub("", str(children)))
    texts = [f"\n{first}", *others] if first.strip() else others
    return [message_from_string(text, policy=AS_WRITTEN) for text in texts]


def _is_body(part: Message, kind: str, found: _Found) -> bool:
    if part.get_content_disposition() == "attachment" or kind in _FILES:
        return False
    return kind.startswith("text/") and not (found.bodies and part.get_filename())


def _body(part: Message, kind: str) -> Body:
    data = _payload(part)
    stated = part.get_content_charset()
    if kind == "text/html" and not stated and (match := _DECLARED.search(data)):
        stated = match[1].decode("ascii")
    text = decode_as(data, stated or "utf-8").replace("\r\n", "\n")
    if kind == "text/html":
        return Body(html=text)
    if str(part.get_param("format", "")).lower() == "flowed":
        text = _SOFT_BREAK.sub(r"\1 ", text)
    return Body(plain=text)


def _payload(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _report(part: Message) -> str:
    """What a mail server says of a delivery, in groups of headers."""
    groups = _children(part)
    if not groups:
        return decode_as(_payload(part), "utf-8")
    return "\n\n".join(
        "\n".join(f"{name}: {decoded(str(value))}" for name, value in group.raw_items())
        for group in groups
    )


def _is_shown(part: Message, shown: set[str]) -> bool:
    name = header(part, "Content-ID").strip("<> ").lower()
    return part.get_content_maintype() == "image" and name in shown


def _members(files: Iterable[Message]) -> Iterator[Member]:
    for part in files:
        try:
            yield Member(_name(part), _data(part))
        except _UNWRITABLE as error:
            detail = f"attachment: {type(error).__name__}"
            yield Member("attachment", b"", Reason.CORRUPT, detail)


def _name(part: Message) -> str:
    kind = part.get_content_type()
    suffix = _SUFFIXES.get(kind, part.get_content_subtype())
    if name := decoded(part.get_filename() or "").strip():
        return name
    inner = _children(part) if kind == "message/rfc822" else []
    subject = header(inner[0], "Subject") if inner else ""
    return f"{subject or 'attachment'}.{suffix}"


def _data(part: Message) -> bytes:
    inner = _children(part)
    if not inner:
        return _payload(part)
    out = BytesIO()
    writer = BytesGenerator(out, mangle_from_=False, maxheaderlen=0)
    for message in inner:
        writer.flatten(message)
    return out.getvalue()
