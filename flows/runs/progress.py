"""Telling whoever watches how far a run is."""

from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """Told by a run as it goes on, from any of its threads."""

    def planned(self, n_documents: int) -> None:
        """So many documents will be read."""

    def documents_done(self, n: int) -> None:
        """So many more documents have their outcome."""

    def chunks_embedded(self, n: int) -> None:
        """So many more chunks have their embedding."""


class Silent:
    """Nobody watches."""

    def planned(self, n_documents: int) -> None: ...

    def documents_done(self, n: int) -> None: ...

    def chunks_embedded(self, n: int) -> None: ...


watching: ContextVar[Progress] = ContextVar("watching", default=Silent())  # noqa: B039
"""Set by the command line for the runs that it starts."""
