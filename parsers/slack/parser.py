"""Conversations of a Slack export: each thread, and each stretch of talk, under a heading.

A stretch is a run of messages outside threads, cut where nobody wrote for half an hour, at
midnight UTC, and after so many messages. A cut depends only on what was written before it, so that
new messages move none of the earlier ones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument, TextBuilder, clean_text
from parsers.slack.export import ConversationKind
from parsers.slack.messages import Conversation, Message, Omission, read_conversation

NAME: Final = "slack"
VERSION: Final = "1"

_MAX_GAP_S: Final = 30 * 60
_MAX_MESSAGES: Final = 20
"""Of a stretch."""
_MAX_PARTICIPANTS: Final = 4
"""In a heading: a much longer one would not be embedded."""
_CHANNELS: Final = (ConversationKind.PUBLIC, ConversationKind.PRIVATE)


def parse(task: ParseTask) -> ParsedDocument:
    conversation = read_conversation(task.data, include_bots=task.options.include_bots)
    title = _title(conversation.about)
    builder = _written(title, conversation.messages)
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=title,
        properties=_properties(conversation),
        losses=_losses(conversation),
    )


def _title(about: Mapping[str, str]) -> str:
    name = " ".join(clean_text(about.get("name", "")).split())
    return f"#{name}" if about.get("kind") in _CHANNELS else name


def _written(title: str, messages: Sequence[Message]) -> TextBuilder:
    """The text; none at all where nobody wrote anything."""
    builder = TextBuilder()
    if messages:
        builder.add(BlockKind.HEADING, title, level=1)
    for section in _sections(messages):
        builder.add(BlockKind.HEADING, _heading(section), level=2)
        for message in section:
            written = f"{message.author} ({message.at:%Y-%m-%d %H:%M}): {message.words}"
            builder.add(BlockKind.PARAGRAPH, written)
    return builder


def _sections(messages: Sequence[Message]) -> list[list[Message]]:
    """Threads, each with all its answers, and the stretches between, in the order of their start.

    Args:
        messages: In the order of time.
    """
    threads: dict[str, list[Message]] = {
        message.thread: [] for message in messages if message.thread
    }
    others: list[Message] = []
    for message in messages:
        threads.get(message.thread or message.ts, others).append(message)
    sections = [*threads.values(), *_stretches(others)]
    return sorted(sections, key=lambda section: section[0].at_s)


def _stretches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    stretch: list[Message] = []
    for message in messages:
        if stretch and _ends_before(message, stretch):
            yield stretch
            stretch = []
        stretch.append(message)
    if stretch:
        yield stretch


def _ends_before(message: Message, stretch: Sequence[Message]) -> bool:
    last = stretch[-1]
    is_late = message.at_s - last.at_s >= _MAX_GAP_S
    return is_late or message.at.date() != last.at.date() or len(stretch) == _MAX_MESSAGES


def _heading(section: Sequence[Message]) -> str:
    """When, and who: it stands in the metadata of each chunk of the section."""
    first, last = section[0].at, section[-1].at
    span = f"{first:%Y-%m-%d %H:%M}"
    if first.date() != last.date():
        span += f" – {last:%Y-%m-%d %H:%M}"
    elif first.replace(second=0) != last.replace(second=0):
        span += f"–{last:%H:%M}"
    authors = _authors(section)
    n_more = len(authors) - _MAX_PARTICIPANTS
    more = f" +{n_more}" if n_more > 0 else ""
    return f"{span} UTC · {', '.join(authors[:_MAX_PARTICIPANTS])}{more}"


def _authors(messages: Iterable[Message]) -> list[str]:
    """Each once, in the order in which they first wrote."""
    return list(dict.fromkeys(message.author for message in messages))


def _losses(conversation: Conversation) -> tuple[str, ...]:
    losses = [f"the day {day}" for day in conversation.unreadable_days]
    losses += [f"the names in {name}" for name in conversation.unreadable_files]
    if n_messages := conversation.n_omitted.get(Omission.UNREADABLE, 0):
        losses.append(f"{n_messages} messages")
    return tuple(losses)


def _properties(conversation: Conversation) -> dict[str, str]:
    about, messages = conversation.about, conversation.messages
    found = {
        "channel": about.get("name", ""),
        **{key: about.get(key, "") for key in ("kind", "topic", "purpose")},
        "participants": ", ".join(_authors(messages)),
        "first_message": messages[0].at.isoformat() if messages else "",
        "last_message": messages[-1].at.isoformat() if messages else "",
        "n_messages": str(len(messages)),
        "n_edited": str(sum(message.is_edited for message in messages)),
    }
    left_out = {
        f"n_{omission}_messages_left_out": str(n_messages)
        for omission, n_messages in conversation.n_omitted.items()
        if n_messages and omission is not Omission.UNREADABLE
    }
    return {key: clean_text(value) for key, value in (found | left_out).items() if value}
