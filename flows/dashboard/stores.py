"""What a long-lived process keeps open: the catalog and the model, and never the vectors."""

import threading
from contextlib import ExitStack, suppress
from pathlib import Path

from flows.errors import UserError
from flows.searching import find_now
from flows.settings import Settings
from flows.wiring import (
    CATALOG_FILE,
    has_state,
    nothing_ingested,
    open_catalog,
    open_embedder,
    text_store,
)
from index.catalog.database import Catalog
from index.catalog.generations import Generation, live_generation
from index.embedding import Embedder, ModelUnusable
from index.errors import StoreUnavailable
from index.search import Result
from index.texts import TextStore


class Stores:
    """The stores of one state directory. Safe to use from threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.texts: TextStore = text_store(settings)
        self._lock = threading.Lock()
        self._search_lock = threading.Lock()
        self._model_lock = threading.Lock()
        self._held = ExitStack()
        self._catalog: Catalog | None = None
        self._file: tuple[int, int] | None = None
        self._embedders: dict[str, Embedder] = {}

    def catalog(self) -> Catalog:
        """The catalog, opened when it is first asked for, and again if its file is another.

        Raises:
            UserError: Nothing has been ingested.
            StoreUnavailable: It cannot be opened.
        """
        with self._lock:
            file = _identity(self.settings)
            if self._catalog is None or file != self._file:
                self._shut()
                if not has_state(self.settings):
                    raise nothing_ingested(self.settings)
                self._catalog = self._held.enter_context(open_catalog(self.settings))
                self._file = _identity(self.settings)
            return self._catalog

    def search(self, words: str, k: int, source: str | None) -> list[Result]:
        """The chunks nearest in meaning to a question, the nearest first; one search at a time.

        Raises:
            StoreUnavailable: A store cannot be read.
            ModelUnusable: The model is not there.
            UserError: Nothing has been ingested, or the model is not what it was.
        """
        with self._search_lock:
            return find_now(self.settings, words, k, source, embedder_of=self._embedder)

    def warm_up(self) -> None:
        """Load the model that searches need, in a thread of its own."""
        threading.Thread(target=self._load, daemon=True, name="model").start()

    def close(self) -> None:
        with self._lock:
            self._shut()

    def _load(self) -> None:
        # Whoever searches is told what is wrong.
        with suppress(UserError, ModelUnusable, StoreUnavailable):
            with self.catalog().reading() as connection:
                live = live_generation(connection)
            if live is not None:
                self._embedder(live).load()

    def _embedder(self, generation: Generation) -> Embedder:
        with self._model_lock:
            if generation.id not in self._embedders:
                self._embedders = {generation.id: open_embedder(self.settings, generation)}
            return self._embedders[generation.id]

    def _shut(self) -> None:
        self._held.close()
        self._catalog = None


def _identity(settings: Settings) -> tuple[int, int] | None:
    """Tells a catalog's file from one that was made in its place."""
    if settings.catalog_url:
        return None
    try:
        found = Path(settings.state_dir / CATALOG_FILE).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
