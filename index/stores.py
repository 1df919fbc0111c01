"""What an index is kept in."""

from dataclasses import dataclass

from index.catalog.database import Catalog
from index.catalog.generations import Generation
from index.embedding import Embedder
from index.targets import Target
from index.texts import TextStore
from index.vectors import VectorStore


@dataclass(frozen=True, slots=True)
class Index:
    """The stores, the generation that is searched, and those that are kept up to date besides."""

    catalog: Catalog
    texts: TextStore
    vectors: VectorStore
    embedder: Embedder
    """Of the generation that is searched."""
    generation: Generation
    """The one that is searched."""
    others: tuple[Target, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """All generations that are written to."""
        return Target(self.generation, self.embedder), *self.others

    def collection(self, generation: str) -> str:
        """Where the vectors of a generation are."""
        return next(t.generation for t in self.targets if t.generation.id == generation).collection
