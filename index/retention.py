"""Giving back what is kept for the past, once that is long enough ago."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from index.catalog import history, retention
from index.catalog.database import Catalog
from index.texts import TextStore


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was given back."""

    versions: int
    documents: int
    embeddings: int
    texts: int
    looks: int
    """Of the history of freshness."""


def clean(catalog: Catalog, texts: TextStore, before: datetime, now: datetime) -> Cleaned:
    """Forget what ceased to be searchable before a moment, and what only that needed.

    The history of freshness is thinned by its age.

    Nothing may be publishing meanwhile. It may be stopped at any time.

    Raises:
        StoreUnavailable: A store failed.
    """
    versions = _all(catalog, lambda connection: retention.forget_versions(connection, before))
    with catalog.writing() as connection:
        documents = retention.forget_documents(connection, before)
    embeddings = clean_embeddings(catalog)
    with catalog.reading() as connection:
        needed = set(retention.text_keys(connection))
    unneeded = [key for key in texts.stored() if key not in needed]
    for key in unneeded:
        texts.remove(key)
    with catalog.writing() as connection:
        looks = history.thin(connection, now)
        history.forget_canaries(connection, before)
    return Cleaned(versions, documents, embeddings, len(unneeded), looks)


def clean_embeddings(catalog: Catalog) -> int:
    """Forget the embeddings that no chunk, current or past, has; how many there were.

    Raises:
        StoreUnavailable: The catalog failed.
    """
    return _all(catalog, retention.forget_embeddings)


def _all(catalog: Catalog, some: Callable[[Connection], int]) -> int:
    """Delete in transactions of their own until there is no more."""
    n_all = 0
    while True:
        with catalog.writing() as connection:
            n_deleted = some(connection)
        if not n_deleted:
            return n_all
        n_all += n_deleted
