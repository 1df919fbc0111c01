"""Which texts a model reads together."""

from collections.abc import Iterator, Sequence


def batches_by_tokens(sizes: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Places of texts that are read together, the longest first.

    By tokens: sorted by characters, as libraries do it, two fifths of what the model reads of
    Markdown is padding, for addresses are short in characters and long in tokens.

    Args:
        sizes: Tokens of each text.
        budget: Tokens of a batch, padding included; a text that has more stands alone.
    """
    batch: list[int] = []
    for place in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        if batch and (len(batch) + 1) * sizes[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def padding_share(sizes: Sequence[int], budget: int) -> float:
    """Of the tokens that a model reads of texts in such batches, the share that is padding."""
    n_read = sum(len(batch) * sizes[batch[0]] for batch in batches_by_tokens(sizes, budget))
    return 1 - sum(sizes) / n_read if n_read else 0.0
