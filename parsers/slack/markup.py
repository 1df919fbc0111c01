"""The ways in which Slack writes a message, made readable: its markup, blocks and attachments."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

Node = Mapping[str, object]
"""A part of a message, of any shape: whoever wrote the file may have put anything in it."""

SLACKBOT: Final = "USLACKBOT"
"""The id of the workspace's own bot, which no list of members has."""

_ANGLED: Final = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_ENTITY: Final = re.compile("&(?:lt|gt|amp);")
_CHARACTERS: Final = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
_SCHEME: Final = re.compile(r"(?:https?://|mailto:|tel:)")
_PLACEHOLDER: Final = "This content can't be displayed."
"""What Slack writes as the text of a message that has only blocks."""
_SILENT: Final = frozenset(("actions", "divider", "input"))
"""Blocks to be clicked on."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the ids in messages stand for."""

    users: Mapping[str, str]
    channels: Mapping[str, str]

    def user(self, user: str) -> str:
        return "Slackbot" if user == SLACKBOT else self.users.get(user, user)


def message_words(message: Node, names: Names) -> str:
    """All that a message says: its text or blocks, what it quotes, and the names of its files.

    Previews of links are left out unless there is nothing else: nobody wrote them here.
    """
    words = _own_words(message, names)
    attachments = nodes(message.get("attachments"))
    if words in {readable(text(part, "fallback"), names) for part in attachments}:
        words = ""
    shown = [part for part in attachments if not (words and _is_preview(part))]
    quoted = [_attachment_words(part, names) for part in shown]
    files = [_file_words(file, words) for file in nodes([message.get("file")])]
    files += [_file_words(file, "") for file in nodes(message.get("files"))]
    return _lines([words, *quoted, *files])


def _own_words(message: Node, names: Names) -> str:
    """The text, unless it only stands in for blocks that apps make."""
    words = readable(text(message, "text"), names).strip()
    blocks = nodes(message.get("blocks"))
    is_from_app = any(text(block, "type") not in ("", "rich_text") for block in blocks)
    if is_from_app or words in ("", _PLACEHOLDER):
        return _block_words(blocks, names).strip() or words
    return words


def readable(markup: str, names: Names) -> str:
    """Slack's markup with names for ids and characters for entities; emphasis stays as it is."""

    def replaced(match: re.Match[str]) -> str:
        sign, target, label = match.group(1), match.group(2), (match.group(3) or "").strip()
        if sign == "@":
            return "@" + names.users.get(target, label or names.user(target))
        if sign == "#":
            return "#" + (label or names.channels.get(target, target))
        return _special(target, label) if sign == "!" else _link(target, label)

    return _unescaped(_ANGLED.sub(replaced, markup))


def _special(command: str, label: str) -> str:
    if command.startswith("date^"):
        return label or _moment(command.split("^")[1])
    return "@" + (label or command.removeprefix("subteam^")).lstrip("@")


def _link(url: str, label: str) -> str:
    bare = _SCHEME.sub("", url, count=1).rstrip("/")
    if not label or _SCHEME.sub("", label, count=1).rstrip("/") == bare:
        return url.removeprefix("mailto:").removeprefix("tel:")
    return f"{label} ({url})"


def _moment(seconds: object) -> str:
    """When that was; `seconds` as they stand there, if they are none."""
    try:
        return datetime.fromtimestamp(int(str(seconds)), UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _unescaped(words: str) -> str:
    """Only these three: any other entity is what somebody typed."""
    return _ENTITY.sub(lambda match: _CHARACTERS[match.group()], words)


_INLINE: Final[Mapping[str, Callable[[Node, Names], str]]] = {
    "text": lambda node, _: text(node, "text"),
    "raw_text": lambda node, _: text(node, "text"),
    "plain_text": lambda node, _: _unescaped(text(node, "text")),
    "link": lambda node, _: _link(text(node, "url"), text(node, "text")),
    "user": lambda node, names: "@" + names.user(text(node, "user_id")),
    "usergroup": lambda node, _: "@" + text(node, "usergroup_id"),
    "channel": lambda node, names: (
        "#" + names.channels.get(text(node, "channel_id"), text(node, "channel_id"))
    ),
    "broadcast": lambda node, _: "@" + text(node, "range"),
    "emoji": lambda node, _: f":{text(node, 'name')}:",
    "date": lambda node, _: text(node, "fallback") or _moment(node.get("timestamp")),
    "color": lambda node, _: text(node, "value"),
}
"""Elements that stand in a line."""


def _block_words(value: object, names: Names) -> str:
    """Of blocks and what they hold; a kind that is not known gives whatever text is in it."""
    if isinstance(value, str):
        return readable(value, names)
    if isinstance(value, list):
        return _lines(_block_words(item, names) for item in value)
    if not isinstance(value, dict):
        return ""
    kind = text(value, "type")
    if kind in _SILENT:
        return ""
    if kind in _INLINE:
        return _INLINE[kind](value, names)
    if kind.startswith("rich_text_"):
        return _rich_words(kind, value, names)
    if isinstance(rows := value.get("rows"), list):
        return _lines(_row_words(row, names) for row in rows)
    parts = ("title", "text", "alt_text", "fields", "elements")
    return _lines(dict.fromkeys(_block_words(value.get(part), names) for part in parts))


def _rich_words(kind: str, node: Node, names: Names) -> str:
    elements = node.get("elements")
    parts = [_block_words(part, names) for part in elements] if isinstance(elements, list) else []
    if kind == "rich_text_list":
        is_ordered = text(node, "style") == "ordered"
        marks = (f"{number}." if is_ordered else "•" for number in range(1, len(parts) + 1))
        return "\n".join(f"{mark} {part}" for mark, part in zip(marks, parts, strict=True))
    words = "".join(parts)
    if kind == "rich_text_preformatted":
        return f"```\n{words}\n```"
    return f"> {words}" if kind == "rich_text_quote" else words


def _row_words(row: object, names: Names) -> str:
    cells = row if isinstance(row, list) else []
    return " | ".join(" ".join(_block_words(cell, names).split()) for cell in cells)


def _attachment_words(attachment: Node, names: Names) -> str:
    parts = [
        readable(text(attachment, key), names)
        for key in ("author_name", "pretext", "title", "text")
    ]
    for field in nodes(attachment.get("fields")):
        both = (text(field, "title"), text(field, "value"))
        parts.append(": ".join(readable(part, names) for part in both if part))
    parts.append(_block_words(attachment.get("blocks"), names))
    return _lines(parts) or readable(text(attachment, "fallback"), names)


def _is_preview(attachment: Node) -> bool:
    return bool(text(attachment, "from_url") or text(attachment, "original_url"))


def _file_words(file: Node, words: str) -> str:
    """Title and name, unless `words` have them already, as they have in old exports."""
    known = [part for part in (text(file, "title"), text(file, "name")) if part]
    shown = [part for part in dict.fromkeys(known) if part not in words]
    return f"[file: {', '.join(shown)}]" if shown else ""


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part.strip())


def text(node: Node, key: str) -> str:
    """What `node` has under `key`; empty if that is no text."""
    value = node.get(key)
    return value if isinstance(value, str) else ""


def nodes(value: object) -> list[Node]:
    """The objects in a list; none if it is something else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
