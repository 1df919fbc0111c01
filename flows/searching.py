"""What `headwater search` does: ask the vector store, or the catalog where that is the better."""

from collections.abc import Callable
from datetime import UTC, datetime

from flows.settings import Settings
from flows.wiring import nothing_ingested, open_catalog, open_embedder, open_to_search, text_store
from index.catalog.generations import Generation, find_generation, reigning_at
from index.embedding import Embedder
from index.errors import StoreBusy, StoreDamaged
from index.history import search_as_of
from index.search import Result, marked, search


def find_now(
    settings: Settings,
    words: str,
    k: int,
    source: str | None,
    embedder_of: Callable[[Generation], Embedder] | None = None,
) -> list[Result]:
    """The chunks nearest in meaning to a question, the nearest first.

    While another process has the vector store open, a run say, or while it cannot be searched any
    more, the catalog answers in its place.

    Args:
        settings: That say where the stores are.
        words: The question.
        k: How many at most.
        source: Only chunks of this source.
        embedder_of: Gives the model of a generation, for callers that keep it.

    Raises:
        StoreUnavailable: A store cannot be read.
        UserError: Nothing has been ingested, or the model is not what it was.
    """
    with (
        open_catalog(settings) as catalog,
        open_to_search(settings, catalog, embedder_of) as index,
    ):
        try:
            results = search(index, words, k, source=source)
        except (StoreBusy, StoreDamaged):
            now = datetime.now(UTC)
            results = find_as_of(settings, words, k, source, now, embedder_of)
        return marked(catalog, results)


def find_as_of(
    settings: Settings,
    words: str,
    k: int,
    source: str | None,
    moment: datetime,
    embedder_of: Callable[[Generation], Embedder] | None = None,
) -> list[Result]:
    """What a search would have found at a moment.

    Raises:
        StoreUnavailable: The catalog cannot be read.
        UserError: Nothing had been ingested then, or the model is not what it was.
    """
    with open_catalog(settings) as catalog:
        with catalog.reading() as connection:
            reigning = reigning_at(connection, moment)
            generation = find_generation(connection, reigning) if reigning else None
        if generation is None:
            raise nothing_ingested(settings, moment)
        embedder = embedder_of(generation) if embedder_of else open_embedder(settings, generation)
        vector = embedder.embed_question(words)
        return search_as_of(
            catalog,
            text_store(settings),
            vector,
            k,
            moment,
            generation=generation.id,
            source=source,
        )
