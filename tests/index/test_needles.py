"""Finding many byte strings and vectors at once finds what looking for each by itself finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.erasure.needles import Needles, count_vectors

LETTERS = st.text("ab", min_size=1, max_size=12).map(str.encode)


def occurrences(hay: bytes, needle: bytes) -> int:
    return sum(hay.startswith(needle, start) for start in range(len(hay)))


@given(st.lists(LETTERS, min_size=1, max_size=6), st.text("ab", max_size=80).map(str.encode))
def test_each_is_found_wherever_it_stands(needles, hay):
    found = Needles(needles).find(hay)
    assert found == {n: k for n in set(needles) if (k := occurrences(hay, n))}


@given(LETTERS, st.text("ab", max_size=60).map(str.encode), st.integers(0, 60))
def test_what_is_read_in_two_parts_is_counted_once(needle, hay, cut):
    needles = Needles([needle])
    first, rest = hay[:cut], hay[cut:]
    kept = first[len(first) - min(len(first), needles.longest - 1) :]
    counted = needles.find(first) + needles.find(kept + rest, after=len(kept))
    assert counted[needle] == occurrences(hay, needle)


def test_nothing_to_look_for_is_found_nowhere():
    assert not Needles([]).find(b"some bytes that are long enough")


@pytest.mark.parametrize("place", [0, 5, 83])
def test_a_vector_is_found_also_after_it_was_rounded(place):
    rng = np.random.default_rng(1)
    vector = rng.standard_normal(16).astype("f4")
    vector /= np.linalg.norm(vector)
    hay = rng.standard_normal(99).astype("f4")
    assert count_vectors(hay, [vector]) == 0
    hay[place : place + 16] = vector * np.float32(1 + 2e-6)
    assert count_vectors(hay, [vector]) == 1
    assert count_vectors(hay[: place + 15], [vector]) == 0


def test_bytes_that_are_no_numbers_are_passed_over():
    vector = np.ones(4, "f4") / 2
    hay = np.frombuffer(b"\xff" * 64 + vector.tobytes() + b"\x7f" * 64, "<f4")
    assert count_vectors(hay, [vector]) == 1
