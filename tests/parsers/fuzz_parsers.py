"""Damaged documents of every type, for as long as is asked for: `make fuzz`.

Each parser is given its example with bytes changed, cut out, doubled and put in, inside of zip
containers too. Whatever comes must be sound, or the document's fault: an exception that a parser
does not foresee, a crash, and a limit that is met are failures, and hypothesis shows the smallest.
"""

import io
import os
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsers import registry
from parsers.contract import Limits, ParseOptions
from parsers.frames import Failure
from parsers.reasons import Reason
from parsers.sandbox import Sandbox
from tests.examples import EXAMPLES, SUFFIXES
from tests.parsers.test_contract import assert_sound

SECONDS = float(os.environ.get("FUZZ_SECONDS", "10"))
"""For each type."""
DEFECTS = (Reason.PARSER_CRASH, Reason.PARSE_TIMEOUT, Reason.PARSE_MEMORY)
LIMITS = Limits(timeout_s=10, cpu_s=10, memory_mib=512)

EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "put", "cut", "double", "number"]),
        st.floats(0, 1),
        st.integers(0, 255),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=8,
)


def damaged(data: bytes, edits: list[tuple[str, float, int, bytes]]) -> bytes:
    changed = bytearray(data)
    for kind, place, number, piece in edits:
        at = int(place * len(changed))
        if kind == "flip" and at < len(changed):
            changed[at] ^= number
        elif kind == "put":
            changed[at:at] = piece
        elif kind == "cut":
            del changed[at : at + number]
        elif kind == "double":
            changed[at:at] = changed[at : at + 16 * number]
        elif kind == "number":
            changed[at : at + len(piece)] = b"9" * len(piece)
    return bytes(changed)


def damaged_inside(data: bytes, which: float, edits: Any) -> bytes:
    """With one member of a zip container damaged, and the container as it should be."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        chosen = names[min(int(which * len(names)), len(names) - 1)]
        for name in names:
            content = old.read(name)
            new.writestr(name, damaged(content, edits) if name == chosen else content)
    return out.getvalue()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS, ParseOptions(), n_workers=1) as made:
        yield made


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("media_type", sorted(registry.MODULES))
def test_no_damage_brings_a_parser_down(media_type, sandbox):
    example = EXAMPLES[media_type]
    ends = time.monotonic() + SECONDS
    n_tried = 0

    @settings(
        max_examples=1_000_000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(EDITS, st.floats(0, 1), st.booleans())
    def holds(edits: Any, which: float, inside: bool) -> None:
        nonlocal n_tried
        if time.monotonic() > ends:
            pytest.skip(f"{n_tried} tried in {SECONDS:g} s")
        n_tried += 1
        if inside and example.startswith(b"PK\x03\x04"):
            data = damaged_inside(example, which, edits)
        else:
            data = damaged(example, edits)
        # The suffix keeps the type, whatever the damage.
        result = sandbox.parse(f"example{SUFFIXES.get(media_type, '')}", data)
        if isinstance(result, Failure):
            assert result.code not in DEFECTS, f"{result.code} {result.detail}\n{result.traceback}"
        else:
            assert_sound(result)

    holds()
