"""Outlook messages made for tests: a writer of compound files ([MS-CFB]) and what lies in one."""

import struct
from dataclasses import dataclass, field

_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_NONE = 0xFFFFFFFF
_SMALL_BYTES = 4096
_STORAGE, _STREAM, _ROOT = 1, 2, 5

Tree = dict[str, "bytes | Tree"]


@dataclass
class _Chains:
    """Blocks of one size and which follows which."""

    size: int
    blocks: list[bytes] = field(default_factory=list)
    following: list[int] = field(default_factory=list)

    def add(self, data: bytes) -> int:
        """Where the chain of `data` starts."""
        pieces = [data[at : at + self.size] for at in range(0, len(data), self.size)]
        if not pieces:
            return _END
        start = len(self.blocks)
        self.blocks += [piece.ljust(self.size, b"\0") for piece in pieces]
        self.following += [*range(start + 1, start + len(pieces)), _END]
        return start


def compound(tree: Tree) -> bytes:
    """A compound file with these streams and storages."""
    sectors, small = _Chains(512), _Chains(64)
    entries: list[list[object]] = [["Root Entry", _ROOT, _NONE, _NONE, _END, 0]]
    _add_entries(tree, 0, entries, sectors, small)
    ministream = b"".join(small.blocks)
    entries[0][4], entries[0][5] = sectors.add(ministream), len(ministream)
    first_mini = sectors.add(struct.pack(f"<{len(small.following)}I", *small.following))
    n_mini = -(-len(small.following) * 4 // 512)
    first_directory = sectors.add(b"".join(_entry(*entry) for entry in entries))
    n_fat = 1
    while (len(sectors.blocks) + n_fat) * 4 > n_fat * 512:
        n_fat += 1
    fat_start = len(sectors.blocks)
    table = [*sectors.following, *[_FAT] * n_fat]
    table += [_FREE] * (n_fat * 128 - len(table))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H", 62, 3, 0xFFFE, 9, 6)
    head += bytes(10) + struct.pack("<4I", n_fat, first_directory, 0, _SMALL_BYTES)
    head += struct.pack("<4I", first_mini, n_mini, _END, 0)
    head += struct.pack("<109I", *range(fat_start, fat_start + n_fat), *[_FREE] * (109 - n_fat))
    return head + b"".join(sectors.blocks) + struct.pack(f"<{len(table)}I", *table)


def _add_entries(
    tree: Tree, parent: int, entries: list[list[object]], sectors: _Chains, small: _Chains
) -> None:
    before = None
    for name, content in tree.items():
        number = len(entries)
        if before is None:
            entries[parent][3] = number
        else:
            entries[before][2] = number
        before = number
        if isinstance(content, dict):
            entries.append([name, _STORAGE, _NONE, _NONE, 0, 0])
            _add_entries(content, number, entries, sectors, small)
        else:
            chains = small if len(content) < _SMALL_BYTES else sectors
            start = chains.add(content)
            entries.append([name, _STREAM, _NONE, _NONE, start, len(content)])


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    written = name.encode("utf-16-le")
    links = struct.pack("<3I", _NONE, right, child)
    return (
        written.ljust(64, b"\0")
        + struct.pack("<HBB", len(written) + 2, kind, 1)
        + links
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def text(code: int, words: str) -> Tree:
    return {f"__substg1.0_{code:04X}001F": words.encode("utf-16-le")}


def binary(code: int, data: bytes) -> Tree:
    return {f"__substg1.0_{code:04X}0102": data}


def fixed(n_head_bytes: int, **numbers: int) -> Tree:
    """The stream of properties of a fixed size; `x3705=5` is number 5 in property 0x3705."""
    stream = bytes(n_head_bytes)
    for name, number in numbers.items():
        stream += struct.pack("<HHIQ", 0x0003, int(name[1:], 16), 6, number)
    return {"__properties_version1.0": stream}


def attached(number: int, tree: Tree, **numbers: int) -> Tree:
    return {f"__attach_version1.0_#{number:08X}": fixed(8, **numbers) | tree}


def recipient(number: int, kind: int, name: str, address: str) -> Tree:
    person = text(0x3001, name) | text(0x3003, address) | fixed(8, x0C15=kind)
    return {f"__recip_version1.0_#{number:08X}": person}


def message(*parts: Tree, n_head_bytes: int = 32, **numbers: int) -> Tree:
    """The tree of a message; of one inside another with a head of 24 bytes."""
    tree = fixed(n_head_bytes, **numbers)
    for part in parts:
        tree |= part
    return tree
