"""Slack exports: which files are one, and each conversation's files gathered into one document.

An export is a folder with its members, its lists of conversations, and for each conversation a
folder that holds a file for each day on which somebody wrote. A bundle is all that belongs to one
conversation, without what differs from one export to the next: tokens, pictures, counters. So a
conversation that nobody wrote in has the same bytes next week.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from parsers.errors import Corrupt
from parsers.media_type import SLACK
from parsers.text_encoding import decode

MEDIA_TYPE: Final = SLACK
BUNDLE_KEY: Final = "headwater_slack_conversation"
"""The first key of a bundle; its value is `BUNDLE_VERSION`."""
BUNDLE_VERSION: Final = 1

_USERS: Final = ("users.json", "org_users.json")
_LISTS: Final = ("channels.json", "groups.json", "dms.json", "mpims.json")
_RECORDS: Final = ("canvases.json", "content_flags.json", "integration_logs.json")
_BESIDE: Final = frozenset((*_USERS, *_LISTS, *_RECORDS))
_CANVAS: Final = "canvas_in_the_conversation.json"
_DAY: Final = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\.json")
_DM_FOLDER: Final = re.compile(r"D[A-Z0-9]{6,}")
_ID: Final = re.compile(r"\b[A-Z][A-Z0-9]{2,}\b")
_NOT_PUBLIC: Final = ("is_private", "is_group", "is_im", "is_mpim")
_MAX_NESTING: Final = 40
"""Of a day file; rich text in an attachment of a message comes to 14."""
MAX_NAME_CHARACTERS: Final = 80
"""Slack's own limit for the names of people and channels."""
_KEPT: Final = frozenset((
    "alt_text", "attachments", "author_name", "blocks", "bot_id", "bot_profile", "channel_id",
    "comment", "display_name", "edited", "elements", "fallback", "fields", "file", "files",
    "from_url", "hidden", "name", "original_url", "pretext", "range", "real_name", "rows", "style",
    "subtype", "text", "thread_ts", "timestamp", "title", "ts", "type", "url", "user", "user_id",
    "user_profile", "usergroup_id", "username", "value",
))  # fmt: skip
"""Keys of a message, and of what it holds, that `parsers.slack.parser` reads."""

Entry = Mapping[str, object]
"""A user or conversation as an export describes it."""


class ConversationKind(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"
    DM = "dm"
    GROUP_DM = "group_dm"


@dataclass(frozen=True, slots=True)
class ExportedConversation:
    """A folder of an export and its days."""

    folder: str
    """Its name, without the path of the export."""
    days: tuple[str, ...]
    """Paths of its day files, the earliest first."""


@dataclass(frozen=True, slots=True)
class Export:
    """Which files make up an export. All paths are as they were given."""

    root: str
    """The folder that it is in; empty for the top."""
    shared: tuple[str, ...]
    """What every conversation needs: `read_index` takes them."""
    conversations: tuple[ExportedConversation, ...]
    """In the order of their names."""
    records: tuple[str, ...]
    """What Slack notes beside the conversations: app logs, links to canvases. Nobody wrote it."""

    @property
    def consumed(self) -> frozenset[str]:
        """All of its files; what else lies in its folders is a document of its own."""
        days = [day for conversation in self.conversations for day in conversation.days]
        return frozenset((*self.shared, *self.records, *days))


@dataclass(frozen=True, slots=True)
class Index:
    """What the shared files of an export say. A user is found by id, a conversation also by name.

    The folder of a conversation bears its name, or its id where it has none.
    """

    users: Mapping[str, Entry]
    channels: Mapping[str, Entry]
    groups: Mapping[str, Entry]
    dms: Mapping[str, Entry]
    mpims: Mapping[str, Entry]
    unreadable: tuple[str, ...] = ()
    """Names of the files that hold something else than a list."""


def find_exports(paths: Iterable[str]) -> list[Export]:
    """The exports among files, judged by their names alone, in the order of their folders.

    Args:
        paths: Relative, with `/`.
    """
    files: dict[str, set[str]] = defaultdict(set)
    days: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    canvases: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder, _, name = path.rpartition("/")
        root, _, conversation = folder.rpartition("/")
        if name in _BESIDE:
            files[folder].add(name)
        elif conversation and name == _CANVAS:
            canvases[root].append(path)
        elif conversation and _DAY.fullmatch(name):
            days[root][conversation].append(path)
    return [
        _export(root, files[root], days[root], canvases[root])
        for root in sorted(days)
        if files[root].intersection(_USERS) and files[root].intersection(_LISTS)
    ]


def _export(
    root: str, files: set[str], days: Mapping[str, list[str]], canvases: list[str]
) -> Export:
    def paths(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(f"{root}/{name}" if root else name for name in names if name in files)

    return Export(
        root=root,
        shared=paths((*_USERS, *_LISTS)),
        conversations=tuple(
            ExportedConversation(folder, tuple(sorted(days[folder]))) for folder in sorted(days)
        ),
        records=(*paths(_RECORDS), *sorted(canvases)),
    )


def read_index(files: Iterable[tuple[str, bytes]]) -> Index:
    """What the shared files say, as far as they can be read.

    Args:
        files: Path and content of each of `Export.shared`.
    """
    lists: dict[str, dict[str, Entry]] = {name: {} for name in (*_USERS, *_LISTS)}
    unreadable = []
    for path, data in files:
        name = PurePosixPath(path).name
        entries = _list(data)
        if entries is None:
            unreadable.append(name)
        else:
            lists[name] = _by_key(entries, ("id",) if name in _USERS else ("name", "id"))
    users = lists["org_users.json"] | lists["users.json"]
    channels, groups, dms, mpims = (lists[name] for name in _LISTS)
    return Index(users, channels, groups, dms, mpims, tuple(sorted(unreadable)))


def _list(data: bytes) -> list[object] | None:
    """A file's JSON list; None if it holds anything else."""
    try:
        value = json.loads(decode(data)[0])
    except (Corrupt, ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _by_key(entries: Iterable[object], keys: tuple[str, ...]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        if isinstance(entry, dict):
            values = (entry.get(key) for key in keys)
            found |= {value: entry for value in values if isinstance(value, str) and value}
    return found


def conversation_kind(
    folder: str,
    channels: Mapping[str, Entry],
    groups: Mapping[str, Entry],
    dms: Mapping[str, Entry],
    mpims: Mapping[str, Entry],
) -> ConversationKind:
    """Who could read a conversation. Public is only what the export itself calls a channel.

    Args:
        folder: Of the conversation, within the export.
        channels: As the others a field of `Index`.
    """
    listed = (
        (ConversationKind.DM, dms),
        (ConversationKind.GROUP_DM, mpims),
        (ConversationKind.PRIVATE, groups),
    )
    for kind, entries in listed:
        if folder in entries:
            return kind
    if folder in channels:
        is_closed = any(channels[folder].get(flag) for flag in _NOT_PUBLIC)
        return ConversationKind.PRIVATE if is_closed else ConversationKind.PUBLIC
    if folder.startswith("mpdm-"):
        return ConversationKind.GROUP_DM
    return ConversationKind.DM if _DM_FOLDER.fullmatch(folder) else ConversationKind.PRIVATE


def make_bundle(folder: str, index: Index, days: Iterable[tuple[str, bytes]]) -> bytes:
    """One conversation as a document of type `MEDIA_TYPE`: equal messages, equal bytes.

    A day that cannot be read is `null` in it. Of the members only those are in it who occur, so
    that a new colleague changes no other conversation.

    Args:
        folder: Of the conversation, within the export.
        index: Of the export.
        days: Path and content of each of `ExportedConversation.days`.
    """
    messages = {PurePosixPath(path).stem: _messages(data) for path, data in days}
    written = json.dumps(dict(sorted(messages.items())), separators=(",", ":"))
    mentioned = sorted(set(_ID.findall(written)))
    users = [(user, index.users[user]) for user in mentioned if user in index.users]
    head = {
        BUNDLE_KEY: BUNDLE_VERSION,
        "conversation": _conversation(folder, index),
        "users": {user: _display_name(entry) for user, entry in users},
        "bots": [user for user, entry in users if entry.get("is_bot") is True],
        "channels": _public_names(mentioned, index),
        "unreadable_files": index.unreadable,
    }
    return f'{json.dumps(head, separators=(",", ":"))[:-1]},"days":{written}}}'.encode("ascii")


def _messages(data: bytes) -> list[object] | None:
    """A day's messages with what is read of them; None if there is no list of them."""
    messages = _list(data)
    try:
        return None if messages is None else [_pruned(message) for message in messages]
    except ValueError:
        return None


def _pruned(value: object, nesting: int = 0) -> object:
    """`value` with no other keys than those that are read.

    Raises:
        ValueError: It is nested deeper than any message is.
    """
    if nesting > _MAX_NESTING:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {key: _pruned(value[key], nesting + 1) for key in sorted(_KEPT & value.keys())}
    if isinstance(value, list):
        return [_pruned(item, nesting + 1) for item in value]
    return value


def _conversation(folder: str, index: Index) -> dict[str, str]:
    kind = _kind(folder, index)
    lists = (index.dms, index.mpims, index.groups, index.channels)
    entry = next((entries[folder] for entries in lists if folder in entries), {})
    name = _text(entry.get("name")) or folder
    if kind in (ConversationKind.DM, ConversationKind.GROUP_DM):
        name = _member_names(entry, index) or name
    return {
        "id": _text(entry.get("id")),
        "name": name,
        "kind": kind,
        "topic": _set_value(entry.get("topic")),
        "purpose": _set_value(entry.get("purpose")),
    }


def _member_names(entry: Entry, index: Index) -> str:
    members = entry.get("members")
    known = members if isinstance(members, list) else []
    return ", ".join(
        _display_name(index.users[member])
        for member in known
        if isinstance(member, str) and member in index.users
    )


def _display_name(user: Entry) -> str:
    """What Slack shows: the name that somebody chose, else the real one, else that of the account.

    Those who left keep theirs.
    """
    profile = user.get("profile")
    chosen = profile if isinstance(profile, dict) else {}
    names = (chosen.get("display_name"), chosen.get("real_name"), user.get("real_name"))
    shown = (_text(name) for name in (*names, user.get("name"), user.get("id")))
    return next(filter(None, shown), "")[:MAX_NAME_CHARACTERS]


def _public_names(ids: Iterable[str], index: Index) -> dict[str, str]:
    """Names of the public channels among `ids`: those of others are not for everybody's eyes."""
    return {
        channel: _text(index.channels[channel].get("name"))[:MAX_NAME_CHARACTERS]
        for channel in ids
        if channel in index.channels and _kind(channel, index) is ConversationKind.PUBLIC
    }


def _kind(folder: str, index: Index) -> ConversationKind:
    return conversation_kind(folder, index.channels, index.groups, index.dms, index.mpims)


def _set_value(setting: object) -> str:
    """Of a topic or purpose, which come with who set them."""
    return _text(setting.get("value")) if isinstance(setting, dict) else ""


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
