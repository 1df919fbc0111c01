"""Errors that are the world's fault: the stores cannot be reached, or can hold no more."""

from parsers.reasons import REMEDIES, Reason


class StoreUnavailable(Exception):
    """The catalog or the vector store did not do what was asked. Worth trying again."""

    code = Reason.STORE_UNAVAILABLE

    def __init__(self, detail: str, remedy: str = REMEDIES[Reason.STORE_UNAVAILABLE]) -> None:
        """`detail` names the store and what it said, in one line; `remedy` says what to do."""
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy


class DiskFull(StoreUnavailable):
    """There is no room left where the state is kept."""


class ReadOnly(StoreUnavailable):
    """The state directory cannot be written to."""


class StoreBusy(StoreUnavailable):
    """Another process has the store open."""


class StoreDamaged(StoreUnavailable):
    """A collection of the vector store cannot be read any more, and is to be made anew.

    Chroma writes its search index over the old one from time to time; a process that is killed in
    the middle of that leaves neither.
    """

    def __init__(self, detail: str) -> None:
        """`detail` is what the store said, in one line."""
        super().__init__(
            detail,
            "Run headwater reconcile --repair: it makes the vectors anew from what is stored, and "
            "embeds nothing.",
        )


class LeaseLost(StoreUnavailable):
    """The connection that kept other writers out is gone, and they may have written."""

    def __init__(self) -> None:
        super().__init__(
            "catalog: the connection that keeps other runs out was lost",
            "Run again: what was begun is finished then.",
        )


class TextLost(StoreUnavailable):
    """A stored text is missing or damaged."""

    def __init__(self, text_key: str) -> None:
        super().__init__(
            f"texts: {text_key} is missing or damaged",
            "Run headwater reconcile --repair, then ingest again.",
        )
