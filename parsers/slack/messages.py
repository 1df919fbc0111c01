"""The messages of a bundle: who wrote what when, and what is left out and why."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from parsers.document import clean_text
from parsers.errors import Corrupt
from parsers.slack.export import BUNDLE_KEY, BUNDLE_VERSION, MAX_NAME_CHARACTERS
from parsers.slack.markup import SLACKBOT, Names, Node, message_words, text

_MALFORMED: Final = (ValueError, RecursionError)
"""How `json` fails."""
_TIMESTAMP: Final = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,6})?")
_SERVICE_PREFIXES: Final = ("channel_", "group_", "joiner_notification")
_SERVICE: Final = frozenset((
    "app_conversation_join", "bot_add", "bot_disable", "bot_enable", "bot_remove", "huddle_thread",
    "message_deleted", "pinned_item", "reminder_add", "reminder_delete", "sh_room_created",
    "sh_room_shared", "tabbed_canvas_updated", "tombstone", "unpinned_item",
))  # fmt: skip
"""Subtypes of messages that nobody wrote: joins, settings, pins, and what is left of a deletion."""


class Omission(StrEnum):
    """Why a message is left out."""

    SERVICE = "service"
    """Nobody wrote it, or it says nothing."""
    BOT = "bot"
    UNREADABLE = "unreadable"
    """It is no message, or has no time."""


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody wrote."""

    ts: str
    """Slack's id of the message: seconds since 1970, with six decimals."""
    thread: str
    """`ts` of the message that it answers; empty outside threads."""
    author: str
    words: str
    is_edited: bool

    @property
    def at_s(self) -> float:
        return float(self.ts)

    @property
    def at(self) -> datetime:
        """To the second, in UTC."""
        return datetime.fromtimestamp(int(self.at_s), UTC)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What could be read of a bundle."""

    about: Mapping[str, str]
    """Its `name`, `kind`, `topic`, and so on."""
    messages: tuple[Message, ...]
    """In the order of time, each once."""
    n_omitted: Mapping[Omission, int]
    unreadable_days: tuple[str, ...]
    """Their dates."""
    unreadable_files: tuple[str, ...]
    """Names of the files of the export from which names of people and channels are missing."""


@dataclass(frozen=True, slots=True)
class _Speakers:
    names: Names
    bots: frozenset[str]


def read_conversation(data: bytes, *, include_bots: bool) -> Conversation:
    """The messages of a bundle.

    Raises:
        Corrupt: `data` is no bundle, or nothing in it can be read.
    """
    bundle = _open(data)
    names = Names(_texts(bundle.get("users")), _texts(bundle.get("channels")))
    speakers = _Speakers(names, frozenset(_strings(bundle.get("bots"))))
    messages: dict[Message, None] = {}
    n_omitted: Counter[Omission] = Counter()
    unreadable_days = []
    for day, held in sorted(_days(bundle).items()):
        if not isinstance(held, list):
            unreadable_days.append(day)
            continue
        for raw in held:
            message = _message(raw, speakers, include_bots=include_bots)
            if isinstance(message, Omission):
                n_omitted[message] += 1
            else:
                messages[message] = None
    n_malformed = n_omitted[Omission.UNREADABLE]
    if not messages and (unreadable_days or n_malformed):
        raise Corrupt(f"{len(unreadable_days)} days and {n_malformed} messages are malformed")
    return Conversation(
        about=_texts(bundle.get("conversation")),
        messages=tuple(sorted(messages, key=lambda message: message.at_s)),
        n_omitted=n_omitted,
        unreadable_days=tuple(unreadable_days),
        unreadable_files=tuple(_strings(bundle.get("unreadable_files"))),
    )


def _open(data: bytes) -> Node:
    try:
        bundle = json.loads(data)
    except _MALFORMED as error:
        raise Corrupt(f"json: {type(error).__name__}") from error
    if not isinstance(bundle, dict) or bundle.get(BUNDLE_KEY) != BUNDLE_VERSION:
        raise Corrupt("it is no bundle of a conversation, or one of another version")
    return bundle


def _days(bundle: Node) -> Node:
    days = bundle.get("days")
    if not isinstance(days, dict):
        raise Corrupt("the bundle has no days")
    return days


def _texts(value: object) -> dict[str, str]:
    held = value if isinstance(value, dict) else {}
    return {key: held[key] for key in held if isinstance(held[key], str)}


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _message(raw: object, speakers: _Speakers, *, include_bots: bool) -> Message | Omission:
    if not isinstance(raw, dict):
        return Omission.UNREADABLE
    if _is_service(raw):
        return Omission.SERVICE
    ts, thread = _timestamp(raw.get("ts")), _timestamp(raw.get("thread_ts"))
    if not ts or not isinstance(raw.get("text"), str | None):
        return Omission.UNREADABLE
    if not include_bots and _is_bot(raw, speakers):
        return Omission.BOT
    try:
        words = clean_text(message_words(raw, speakers.names)).strip()
    except RecursionError:
        return Omission.UNREADABLE
    if not words:
        return Omission.SERVICE
    return Message(
        ts=ts,
        thread="" if thread == ts else thread,
        author=_author(raw, speakers),
        words=words,
        is_edited="edited" in raw,
    )


def _is_service(raw: Node) -> bool:
    subtype = text(raw, "subtype")
    is_message = raw.get("type", "message") == "message" and raw.get("hidden") is not True
    return not is_message or subtype in _SERVICE or subtype.startswith(_SERVICE_PREFIXES)


def _is_bot(raw: Node, speakers: _Speakers) -> bool:
    """A member who writes through an app is none, although the message bears the app's id."""
    user = text(raw, "user")
    if text(raw, "subtype") == "bot_message" or user == SLACKBOT or user in speakers.bots:
        return True
    return bool(text(raw, "bot_id")) and user not in speakers.names.users


def _timestamp(value: object) -> str:
    written = str(value) if isinstance(value, str | int | float) else ""
    return written if _TIMESTAMP.fullmatch(written) else ""


def _author(raw: Node, speakers: _Speakers) -> str:
    """The member's name; else what the message itself says of a bot or of somebody from outside."""
    user = text(raw, "user") or text(_part(raw, "comment"), "user")
    profile = _part(raw, "user_profile")
    own = text(raw, "username") or text(_part(raw, "bot_profile"), "name")
    member = speakers.names.user(user)
    known = [own if _is_bot(raw, speakers) else "", member if member != user else ""]
    claimed = [text(profile, key) for key in ("display_name", "real_name", "name")]
    shown = [*known, *claimed, own, user, text(raw, "bot_id"), "unknown"]
    name = next(name for name in shown if name.strip())
    return " ".join(clean_text(name).split())[:MAX_NAME_CHARACTERS]


def _part(raw: Node, key: str) -> Node:
    part = raw.get(key)
    return part if isinstance(part, dict) else {}
