"""How a table reads as text."""

from collections.abc import Iterable, Sequence

from parsers.document import BlockKind, TextBuilder


def add_table(
    builder: TextBuilder, rows: Iterable[Sequence[str]], *, page: int | None = None
) -> None:
    """Append a table: one line a row, cells divided by ` | `.

    Blank rows, and blank cells at the end of a row, are left out.

    Args:
        builder: Is written to.
        rows: Cells, not yet normalised. The first row names the columns.
        page: Where it stands, 1-based.
    """
    lines = [line for row in rows if (line := _line(row))]
    header = lines[0] if len(lines) > 1 else ""
    builder.add(BlockKind.TABLE, "\n".join(lines), page=page, header=header)


def _line(row: Sequence[str]) -> str:
    cells = [" ".join(cell.split()) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return " | ".join(cells).strip()
