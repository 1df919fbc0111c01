"""How documents are grouped into batches."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.runs import indexing
from flows.runs.indexing import _batches
from index.plan import Listed

LARGE = indexing._SMALL_BYTES // indexing._BATCH_DOCUMENTS


def listed(sizes: list[int]) -> list[Listed]:
    return [Listed(f"{n}.md", f"/{n}.md", size, None, "") for n, size in enumerate(sizes)]


def batch_sizes(sizes: list[int]) -> list[int]:
    return [len(batch) for batch in _batches(listed(sizes))]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (100, [8, 256, 36]),
        (LARGE, [8, *[32] * 9, 4]),
        (0, [8, *[32] * 9, 4]),  # It is not known.
        (indexing._BATCH_BYTES, [1] * 300),
    ],
)
def test_the_smaller_documents_are_the_more_are_in_a_batch(size, expected):
    assert batch_sizes([size] * 300) == expected


def test_a_large_document_ends_a_batch_of_many_small_ones():
    assert batch_sizes([100] * 108 + [10**6] * 33) == [8, 100, 32, 1]


@given(st.lists(st.integers(0, 2**20) | st.integers(0, 2**26), max_size=600))
def test_every_document_is_in_one_batch_and_none_is_too_large(sizes):
    documents = listed(sizes)
    batches = list(_batches(documents))
    assert list(chain.from_iterable(batches)) == documents
    for batch in batches:
        n_bytes = sum(one.n_bytes for one in batch)
        assert len(batch) == 1 or n_bytes <= indexing._BATCH_BYTES
        assert len(batch) <= indexing._BATCH_DOCUMENTS or n_bytes <= indexing._SMALL_BYTES
