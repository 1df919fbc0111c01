"""What in a mail is new, and what is the history that it answers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_MARK: Final = re.compile(r"^\s{0,3}>")
_MARKS: Final = re.compile(r"^\s{0,3}(?:> ?)+")
_MAX_LINE_CHARACTERS: Final = 300
"""A longer line introduces no quotation."""
_MAX_INTRODUCTION_LINES: Final = 3
_WROTE: Final = re.compile(
    r"(?:wrote|writes|schrieb|a écrit|escribi[óo]|escreveu|ha scritto|schreef|heeft .*geschreven"
    r"|skrev|napisał\w*|napsal\(?a?\)?|написал\(?а?\)?|пишет|kirjoitti|yazdı|写道|書きました)"
    r".{0,100}[:：]$",
    re.I,
)
_WHEN: Final = re.compile(
    r"(?:on|am|le|el|em|il|op|den|dnia|dne|в|ср|пн|вт|чт|пт|сб|вс|\d)\W?.*\d|.*@", re.I
)
_DIVIDER: Final = re.compile(
    r"[-_*\s]{2,}\s?(?:original message|original appointment|forwarded message"
    r"|forwarded by .*|ursprüngliche nachricht|weitergeleitete nachricht|message d'origine"
    r"|message original|message transféré|mensaje original|mensaje reenviado|messaggio originale"
    r"|messaggio inoltrato|mensagem original|oorspronkelijk bericht|doorgestuurd bericht"
    r"|reply message|исходное сообщение|пересылаемое сообщение)\s?[-_*\s]{2,}"
    r"|(?:begin forwarded message|anfang der weitergeleiteten (?:nachricht|e-mail)"
    r"|début du message (?:réexpédié|transféré)|inicio del mensaje reenviado) ?:",
    re.I,
)
_FIRST_HEADER: Final = re.compile(r"[*>\s]{0,4}(?:From|Von|De|Da|Van|Från|Fra|От)\s?:\*?\s*\S")
_OTHER_HEADER: Final = re.compile(
    r"[*>\s]{0,4}(?:Sent|Date|To|Subject|Cc|Gesendet|Datum|An|Betreff|Envoyé|À|Objet|Enviado el"
    r"|Enviado|Fecha|Para|Asunto|Inviato|Data|Oggetto|Verzonden|Aan|Onderwerp|Skickat|Till|Ämne|Sendt|Til"
    r"|Emne|Assunto|Дата|Кому|Тема)\s?:\*?(?:\s|$)"
)
_HEADER_LINES: Final = 6
_MIN_OTHER_HEADERS: Final = 2


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph of a mail."""

    words: str
    is_quoted: bool


def passages(text: str) -> Iterator[Passage]:
    """The paragraphs of a plain text body, without the marks of quotation."""
    lines = text.split("\n")
    kept: list[str] = []
    was_quoted = False
    for line, is_quoted in zip(lines, quoted_lines(lines), strict=True):
        words = _MARKS.sub("", line) if is_quoted else line
        if kept and (is_quoted != was_quoted or not words.strip()):
            yield Passage("\n".join(kept), was_quoted)
            kept = []
        was_quoted = is_quoted
        if words.strip():
            kept.append(words.rstrip())
    if kept:
        yield Passage("\n".join(kept), was_quoted)


def quoted_lines(lines: Sequence[str]) -> list[bool]:
    """For each line whether it is somebody else's.

    Where marked lines (`>`) follow the words that introduce them, the answers stand between or
    below and only marked lines are quoted; else everything from the introduction on is.
    """
    quoted = [bool(_MARK.match(line)) for line in lines]
    number = 0
    while number < len(lines):
        n_lines = 0 if quoted[number] else _introduction(lines, number)
        if n_lines:
            following = _next_filled(lines, number + n_lines)
            if following == len(lines) or not quoted[following]:
                return quoted[:number] + [True] * (len(lines) - number)
            quoted[number : number + n_lines] = [True] * n_lines
        number += max(n_lines, 1)
    return quoted


def _introduction(lines: Sequence[str], number: int) -> int:
    """How many lines from here on introduce a quotation; 0 if they do not."""
    line = lines[number].strip()
    if not line or len(line) > _MAX_LINE_CHARACTERS:
        return 0
    if _DIVIDER.fullmatch(line) or _begins_headers(lines, number):
        return 1
    if not _WHEN.match(line):
        return 0
    joined = ""
    for n_lines, part in enumerate(lines[number : number + _MAX_INTRODUCTION_LINES], 1):
        joined = f"{joined} {part.strip()}"[: _MAX_INTRODUCTION_LINES * _MAX_LINE_CHARACTERS]
        if not part.strip():
            return 0
        if joined.endswith((":", "：")) and _WROTE.search(joined):
            return n_lines
    return 0


def _begins_headers(lines: Sequence[str], number: int) -> bool:
    """Whether the heads of a mail stand here, as Outlook puts them above what it quotes."""
    if not _FIRST_HEADER.match(lines[number]):
        return False
    filled = [line for line in lines[number + 1 : number + 2 * _HEADER_LINES] if line.strip()]
    others = [line for line in filled[:_HEADER_LINES] if _OTHER_HEADER.match(line)]
    return len(others) >= _MIN_OTHER_HEADERS


def _next_filled(lines: Sequence[str], number: int) -> int:
    while number < len(lines) and not lines[number].strip():
        number += 1
    return number
