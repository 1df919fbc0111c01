"""A folder of documents that people never stop working on."""

import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.documents import pdf

_WORDS: Final = (
    "annual", "leave", "accrues", "pay", "period", "kettle", "descaled", "fridays", "badge", "door",
    "invoice", "approved", "limit", "backup", "tape", "rotates", "weekly", "toner", "cupboard",
)  # fmt: skip
_FEWEST: Final = 6
"""Pages that are never removed, and members of the archive."""


class ChangingFolder:
    """What `change` does is decided by the random numbers alone."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder = folder
        self._rng = rng
        self._n_made = 0
        self._members: dict[str, str] = {}
        self._damaged: Path | None = None
        for _ in range(_FEWEST + 2):
            self._add()
            self._pack()
        self._damage()
        (folder / "never.pdf").write_bytes(b"%PDF-1.4 was never one")

    def change(self) -> None:
        """Do something of each kind."""
        works: list[Callable[[], None]] = [
            self._add, self._edit, self._retitle, self._move, self._remove, self._pack, self._damage
        ]  # fmt: skip
        self._rng.shuffle(works)
        for work in works:
            work()

    def settle(self) -> None:
        """Leave nothing unreadable that was readable once: its last good version would stay."""
        self._mend()

    def _pages(self) -> list[Path]:
        return sorted(self.folder.rglob("*.md"))

    def _words(self, n: int) -> str:
        return " ".join(self._rng.choices(_WORDS, k=n)).capitalize() + "."

    def _page(self) -> str:
        sections = (f"## {self._words(2)}\n\n{self._words(60)}\n" for _ in range(4))
        return f"---\ntitle: {self._words(3)}\n---\n" + "\n".join(sections)

    def _add(self) -> None:
        self._n_made += 1
        (self.folder / f"page-{self._n_made}.md").write_text(self._page(), "utf-8")

    def _edit(self) -> None:
        page = self._rng.choice(self._pages())
        sections = page.read_text("utf-8").split("\n## ")
        changed = self._rng.randrange(1, len(sections))
        sections[changed] = f"{self._words(2)}\n\n{self._words(40)}\n"
        page.write_text("\n## ".join(sections), "utf-8")

    def _retitle(self) -> None:
        """Chunks keep their words and get other vectors."""
        page = self._rng.choice(self._pages())
        _, _, rest = page.read_text("utf-8").split("---\n", 2)
        page.write_text(f"---\ntitle: {self._words(3)}\n---\n{rest}", "utf-8")

    def _move(self) -> None:
        self._n_made += 1
        page = self._rng.choice(self._pages())
        (self.folder / "moved").mkdir(exist_ok=True)
        page.rename(self.folder / "moved" / f"page-{self._n_made}.md")

    def _remove(self) -> None:
        while len(pages := self._pages()) > _FEWEST:
            self._rng.choice(pages).unlink()

    def _pack(self) -> None:
        """An archive that gets a member, loses one, and has one changed."""
        self._n_made += 1
        if len(self._members) > _FEWEST:
            del self._members[min(self._members)]
        self._members |= {name: self._words(30) for name in list(self._members)[:1]}
        self._members[f"member-{self._n_made:05}.txt"] = self._words(30)
        with zipfile.ZipFile(self.folder / "box.zip", "w") as archive:
            for name, text in self._members.items():
                archive.writestr(name, text)

    def _damage(self) -> None:
        """A new document that cannot be read; the one before becomes readable."""
        self._mend()
        self._n_made += 1
        self._damaged = self.folder / f"report-{self._n_made:05}.pdf"
        self._damaged.write_bytes(b"%PDF-1.4 cut off")
        for old in sorted(self.folder.glob("report-*.pdf"))[:-3]:
            old.unlink()

    def _mend(self) -> None:
        if self._damaged is not None:
            self._damaged.write_bytes(pdf(self._words(20), self._words(20)))
