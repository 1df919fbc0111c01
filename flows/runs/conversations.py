"""Slack exports in a source: the files of a conversation taken together as one document."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from flows.runs.fetched import DocumentTooLarge, DocumentUnreadable, Fetched, SourceUnreadable
from flows.runs.sources import fetch
from index.plan import Listed
from parsers.slack.export import (
    ConversationKind,
    Export,
    ExportedConversation,
    Index,
    conversation_kind,
    find_exports,
    make_bundle,
    read_index,
)

_MAX_INDEX_BYTES: Final = 64 * 1024 * 1024
"""Of each of the files that name the members and conversations of an export."""


def gather(
    listing: Sequence[Listed], rule_against: Callable[[str], str], *, include_private: bool
) -> list[Listed]:
    """A listing in which each conversation of an export stands for its files, by uri.

    Args:
        listing: All files of a source.
        rule_against: Of a uri, the rule that excludes it: such files are part of no conversation.
        include_private: Whether private channels and direct messages are to be read.

    Raises:
        SourceUnreadable: A file that says what is private cannot be read.
    """
    # One that cannot be read is a part too: without it the conversation would seem to be shorter.
    files = {one.uri: one for one in listing if not (one.skip_rule or rule_against(one.uri))}
    exports = find_exports(files)
    consumed = frozenset[str]().union(*(export.consumed for export in exports))
    gathered = [one for one in listing if one.uri not in consumed]
    for export in exports:
        gathered += _conversations(export, files, include_private=include_private)
    return sorted(gathered, key=lambda one: one.uri)


def fetch_gathered(listed: Listed, max_bytes: int) -> Fetched:
    """As `flows.runs.sources.fetch`, for documents that are gathered from several files too."""
    if not listed.parts:
        return fetch(listed, max_bytes)
    if listed.n_bytes > max_bytes:
        raise DocumentTooLarge(f"{listed.n_bytes} bytes")
    index = _read_index(listed.shared)
    days = [(part.uri, fetch(part, max_bytes)) for part in listed.parts]
    folder = listed.uri.rpartition("/")[2]
    data = make_bundle(folder, index, [(uri, fetched.data) for uri, fetched in days])
    return Fetched(
        data,
        hashlib.sha256(data).hexdigest(),
        listed.stat_token,
        all(fetched.stat_trusted for _, fetched in days),
        max((f.modified_at for _, f in days if f.modified_at), default=None),
    )


def _conversations(
    export: Export, files: Mapping[str, Listed], *, include_private: bool
) -> Iterable[Listed]:
    shared = tuple(files[path] for path in export.shared)
    try:
        index = _read_index(shared)
    except (DocumentUnreadable, DocumentTooLarge) as error:
        raise SourceUnreadable(f"Slack export {export.root}: {error}") from error
    for conversation in export.conversations:
        listed = _listed(export, conversation, shared, files)
        kind = conversation_kind(
            conversation.folder, index.channels, index.groups, index.dms, index.mpims
        )
        if kind is ConversationKind.PUBLIC or include_private:
            yield listed
        else:
            yield replace(listed, skip_rule="include_private is not set")


def _listed(
    export: Export,
    conversation: ExportedConversation,
    shared: tuple[Listed, ...],
    files: Mapping[str, Listed],
) -> Listed:
    days = tuple(files[path] for path in conversation.days)
    tokens = "\n".join(f"{one.uri}\n{one.stat_token}" for one in (*shared, *days))
    return Listed(
        uri=f"{export.root}/{conversation.folder}" if export.root else conversation.folder,
        location=days[0].location.rpartition("/")[0],
        n_bytes=sum(day.n_bytes for day in days),
        modified_at=max((day.modified_at for day in days if day.modified_at), default=None),
        stat_token=hashlib.sha256(tokens.encode()).hexdigest(),
        parts=days,
        shared=shared,
    )


@lru_cache(maxsize=4)
def _read_index(shared: tuple[Listed, ...]) -> Index:
    return read_index((one.uri, fetch(one, _MAX_INDEX_BYTES).data) for one in shared)
