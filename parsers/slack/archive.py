"""Slack exports in an archive: the members of a conversation taken together as one."""

from collections.abc import Iterator, Mapping, Sequence

from parsers.document import Member
from parsers.slack.export import (
    ConversationKind,
    Export,
    conversation_kind,
    find_exports,
    make_bundle,
    read_index,
)


def gather_conversations(members: Sequence[Member], *, include_private: bool) -> list[Member]:
    """The members of an archive, each conversation of an export in place of its files.

    Args:
        members: All of them.
        include_private: Whether private channels and direct messages are to be read.
    """
    files = {member.name: member for member in members if member.code is None}
    exports = find_exports(files)
    consumed = frozenset[str]().union(*(export.consumed for export in exports))
    gathered = [member for member in members if member.name not in consumed]
    for export in exports:
        gathered += _conversations(export, files, include_private=include_private)
    return gathered


def _conversations(
    export: Export, files: Mapping[str, Member], *, include_private: bool
) -> Iterator[Member]:
    index = read_index((path, files[path].data) for path in export.shared)
    for conversation in export.conversations:
        name = f"{export.root}/{conversation.folder}" if export.root else conversation.folder
        kind = conversation_kind(
            conversation.folder, index.channels, index.groups, index.dms, index.mpims
        )
        if kind is ConversationKind.PUBLIC or include_private:
            days = ((path, files[path].data) for path in conversation.days)
            yield Member(name, make_bundle(conversation.folder, index, days))
        else:
            yield Member(name, b"", skip_rule="include_private is not set")
