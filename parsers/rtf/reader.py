"""Rich Text Format as blocks of text: follows groups and control words from first to last."""

import re
from dataclasses import dataclass, field, replace
from typing import Final

from parsers.document import BlockKind, TextBuilder
from parsers.errors import Corrupt
from parsers.rtf.tokens import Kind, Token, tokens
from parsers.rtf.words import (
    APART,
    CHARACTERS,
    CODE_PAGES,
    INFO_DATES,
    INFO_TEXTS,
    LEFT_OUT,
    LIST_MARKS,
    PARAGRAPH_ENDS,
    STARRED_TEXT,
    charset_code_page,
    numbered_code_page,
)
from parsers.table_text import add_table

_MAX_DEPTH: Final = 10_000
_MAX_LEVEL: Final = 6
_HEADING_NAME: Final = re.compile(r"heading ([1-9])(?=;|,|$)", re.I)
_SKIPPED: Final = "skipped"
_TEXT: Final = "text"


@dataclass(slots=True)
class _State:
    """What a group inherits and, at its end, gives back."""

    destination: str = _TEXT
    font: int = -1
    n_substitutes: int = 1
    """Characters that follow each `\\u`, for programs without Unicode."""
    is_hidden: bool = False
    is_deleted: bool = False
    style: int = 0
    level: int | None = None
    """Of a heading, stated in the paragraph itself; 0 for other text."""
    in_table: bool = False
    is_list: bool = False


@dataclass(slots=True)
class _Apart:
    """The words around a note or a text box, kept until that ends."""

    depth: int
    words: list[str]


@dataclass(slots=True)
class RtfReader:
    """Reads one file."""

    include_hidden: bool
    builder: TextBuilder = field(default_factory=TextBuilder)
    info: dict[str, str] = field(default_factory=dict)
    """What the document says of itself; dates in ISO 8601."""
    _code_page: str = "cp1252"
    _fonts: dict[int, str] = field(default_factory=dict)
    _style_levels: dict[int, int] = field(default_factory=dict)
    _state: _State = field(default_factory=_State)
    _groups: list[_State] = field(default_factory=list)
    _bytes: bytearray = field(default_factory=bytearray)
    """Characters not yet decoded: one of them may be two tokens."""
    _n_to_skip: int = 0
    _is_starred: bool = False
    _words: list[str] = field(default_factory=list)
    _cells: list[str] = field(default_factory=list)
    _rows: list[list[str]] = field(default_factory=list)
    _apart: list[_Apart] = field(default_factory=list)
    _after: list[str] = field(default_factory=list)
    """Notes and text boxes, to follow the paragraph that they are anchored in."""
    _side: list[str] = field(default_factory=list)
    """What a destination other than the text says."""
    _date: dict[str, int] = field(default_factory=dict)

    def read(self, data: bytes) -> None:
        """Append all of it to `builder`.

        Raises:
            Corrupt: Its groups are nested deeper than any program does.
        """
        for token in tokens(data):
            if token.kind is Kind.BYTES:
                self._take_bytes(token.data)
                continue
            self._n_to_skip = 0
            self._flush_bytes()
            if token.kind is Kind.OPEN:
                self._open()
            elif token.kind is Kind.CLOSE:
                self._close()
            else:
                self._take_word(token)
        self._flush_bytes()
        while self._apart:
            self._end_apart()
        self._state = _State()  # Where the file was cut off, groups are open still.
        self._end_paragraph()
        self._end_table()

    def _open(self) -> None:
        if len(self._groups) >= _MAX_DEPTH:
            raise Corrupt(f"groups nested more than {_MAX_DEPTH} deep")
        self._groups.append(replace(self._state))
        self._is_starred = False

    def _close(self) -> None:
        before = self._groups.pop() if self._groups else _State(_SKIPPED)
        if self._state.destination not in (before.destination, _SKIPPED):
            self._end_destination(self._state.destination)
        if self._apart and len(self._groups) < self._apart[-1].depth:
            self._end_apart()
        self._state = before

    def _end_destination(self, name: str) -> None:
        said = _joined(self._side)
        if name in INFO_TEXTS:
            self.info[name] = said
        elif name in INFO_DATES:
            self.info[INFO_DATES[name]] = _iso(self._date)
        elif name == "style" and (match := _HEADING_NAME.search(said)):
            self._style_levels[self._state.style] = min(int(match.group(1)), _MAX_LEVEL)
        elif name == "style" and said.strip(" ;").lower() == "title":
            self._style_levels[self._state.style] = 1
        self._side = []

    def _take_bytes(self, data: bytes) -> None:
        if self._n_to_skip:
            n_skipped = min(self._n_to_skip, len(data))
            self._n_to_skip -= n_skipped
            data = data[n_skipped:]
        if self._state.destination != _SKIPPED:
            self._bytes += data

    def _flush_bytes(self) -> None:
        if self._bytes:
            codec = self._fonts.get(self._state.font) or self._code_page
            self._say(self._bytes.decode(codec, "replace"))
            self._bytes.clear()

    def _say(self, words: str) -> None:
        state = self._state
        if state.destination == _TEXT:
            if not state.is_deleted and (self.include_hidden or not state.is_hidden):
                self._words.append(words)
        elif state.destination != _SKIPPED:
            self._side.append(words)

    def _take_word(self, token: Token) -> None:
        word, starred = token.word, self._is_starred
        self._is_starred = word == "*"
        if word in LEFT_OUT or (starred and word not in STARRED_TEXT and word != "*"):
            self._state.is_list = self._state.is_list or word in LIST_MARKS
            if word in LIST_MARKS and self._groups:
                self._groups[-1].is_list = True
            self._state.destination = _SKIPPED
        elif self._state.destination == _SKIPPED:
            return
        elif word in CHARACTERS:
            self._say(CHARACTERS[word])
        elif word == "u":
            self._say(chr((token.number or 0) & 0xFFFF))
            self._n_to_skip = self._state.n_substitutes
        elif self._state.destination == _TEXT:
            self._take_text_word(word, token.number)
        else:
            self._take_side_word(word, token.number or 0)

    def _take_text_word(self, word: str, number: int | None) -> None:
        if word in PARAGRAPH_ENDS:
            self._end_paragraph()
        elif word in ("cell", "row"):
            self._end_cell(word)
        elif word in APART:
            self._apart.append(_Apart(len(self._groups), self._words))
            self._words = []
        elif word in CODE_PAGES:
            self._code_page = CODE_PAGES[word]
        elif word == "ansicpg":
            self._code_page = numbered_code_page(number or 0) or self._code_page
        elif word in ("fonttbl", "stylesheet", "info"):
            self._state.destination = word
        elif word.startswith("m") and word.endswith("Pr"):
            self._state.destination = _SKIPPED
        else:
            self._format(word, number)

    def _format(self, word: str, number: int | None) -> None:
        """Follow what a word says about the characters and the paragraph around it."""
        state = self._state
        if word == "pard":
            state.style, state.level, state.in_table, state.is_list = 0, None, False, False
        elif word == "plain":
            state.is_hidden = state.is_deleted = False
        elif word == "v":
            state.is_hidden = number != 0
        elif word == "deleted":
            state.is_deleted = number != 0
        elif word in ("f", "uc", "s", "outlinelevel"):
            self._set(word, number or 0)
        elif word == "intbl":
            state.in_table = True
        elif word == "ls":
            state.is_list = bool(number)

    def _set(self, word: str, number: int) -> None:
        if word == "f":
            self._state.font = number
        elif word == "uc":
            self._state.n_substitutes = max(0, number)
        elif word == "s":
            self._state.style = number
        else:
            self._state.level = number + 1 if number < _MAX_LEVEL else 0

    def _take_side_word(self, word: str, number: int) -> None:
        """A word in the tables of fonts and styles, or in the properties."""
        state = self._state
        if state.destination == "fonttbl":
            if word == "f":
                state.font = number
            elif word in ("fcharset", "cpg"):
                page = charset_code_page if word == "fcharset" else numbered_code_page
                self._fonts[state.font] = page(number) or self._fonts.get(state.font, "")
        elif state.destination in ("stylesheet", "style"):
            if word == "s":
                state.destination, state.style = "style", number
                self._side = []
            elif word == "outlinelevel" and number < _MAX_LEVEL:
                self._style_levels[state.style] = number + 1
        elif word in INFO_TEXTS or word in INFO_DATES:
            state.destination = word
            self._side, self._date = [], {}
        else:
            self._date[word] = number

    def _end_apart(self) -> None:
        words = _joined(self._words)
        self._words = self._apart.pop().words
        self._after.append(words)

    def _end_cell(self, word: str) -> None:
        if word == "cell":
            self._cells.append(_joined(self._words))
            self._words = []
        elif self._cells:
            self._rows.append(self._cells)
            self._cells = []

    def _end_paragraph(self) -> None:
        if self._apart or self._state.in_table:
            self._words.append("\n")
            return
        words = _joined(self._words)
        self._words = []
        if words.strip() or self._after:
            self._end_table()
            self._add(words)
        for said in self._after:
            self.builder.add(BlockKind.PARAGRAPH, said)
        self._after = []

    def _add(self, words: str) -> None:
        state = self._state
        level = self._style_levels.get(state.style, 0) if state.level is None else state.level
        if level:
            self.builder.add(BlockKind.HEADING, " ".join(words.split()), level=level)
        elif state.is_list:
            self.builder.add(BlockKind.LIST_ITEM, words)
        else:
            self.builder.add(BlockKind.PARAGRAPH, words)

    def _end_table(self) -> None:
        if self._cells:
            self._rows.append(self._cells)
        if all(len(row) == 1 for row in self._rows):
            for (words,) in self._rows:
                self.builder.add(BlockKind.PARAGRAPH, words)
        else:
            add_table(self.builder, self._rows)
        self._cells, self._rows = [], []


def _joined(words: list[str]) -> str:
    """One text, with the halves of characters beyond the first plane put together."""
    return "".join(words).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _iso(date: dict[str, int]) -> str:
    if not date.get("yr"):
        return ""
    day = f"{date['yr']:04}-{date.get('mo', 1):02}-{date.get('dy', 1):02}"
    return f"{day}T{date.get('hr', 0):02}:{date.get('min', 0):02}:{date.get('sec', 0):02}"
