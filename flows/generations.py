"""What `headwater generation` does."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from flows.errors import UsageError, UserError
from flows.metadata.rebuilding import judge_for
from flows.runs.lease import index_lease
from flows.settings import Settings
from flows.wiring import (
    nothing_ingested,
    open_catalog,
    open_embedder,
    open_to_search,
    open_vectors,
    text_store,
    wanted_generation,
)
from index.building import Built, build, estimate
from index.catalog import chunks as chunk_rows
from index.catalog import generations as generation_rows
from index.catalog.database import Catalog
from index.catalog.generations import Generation, GenerationState
from index.stores import Index
from index.targets import Target

_STRETCH_S: Final = 60.0
"""Of building, between which runs may come in."""
_BREATH_S: Final = 0.5
"""Between stretches; longer than those who wait for the lease take to look."""


def overview(settings: Settings) -> list[dict[str, Any]]:
    """Every generation that is kept up to date, and the one that the settings ask for."""
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        known = generation_rows.all_generations(connection)
        rows = [
            _row(one, one.state.value, chunk_rows.count_chunks(connection, generation=one.id))
            for one in known
        ]
    wanted = wanted_generation(settings, known)
    if wanted.id not in {one.id for one in known}:
        rows.append(_row(wanted, "wanted", 0))
    return rows


def _row(generation: Generation, state: str, n_chunks: int) -> dict[str, Any]:
    return {
        "id": generation.id,
        "state": state,
        "model": generation.model,
        "revision": generation.revision,
        "chunker": generation.chunker,
        "collection": generation.collection,
        "chunks": n_chunks,
    }


def estimate_generation(settings: Settings) -> dict[str, Any]:
    """What it will cost to build the generation that the settings ask for.

    Raises:
        UserError: It is built already.
    """
    with open_catalog(settings) as catalog, open_to_search(settings, catalog) as index:
        target = _target(settings, catalog)
        found = estimate(index, target)
    return {
        "generation": target.generation.id,
        "model": target.generation.model,
        "documents": found.documents,
        "chunks": found.chunks,
        "tokens": found.tokens,
        "tokens_to_embed": found.tokens_to_embed,
        "seconds": round(found.seconds),
    }


def build_generation(settings: Settings, *, wait_s: float = 0) -> dict[str, Any]:
    """Build the generation that the settings ask for, to its end.

    Raises:
        LeaseHeld: Another process writes, longer than `wait_s`.
        StoreUnavailable: A store failed; it goes on from there the next time.
        UserError: It is built already, or nothing has been ingested.
    """
    total = Built()
    while not total.complete:
        with open_catalog(settings) as catalog, index_lease(settings, catalog, wait_s=wait_s):
            target = _begun(settings, catalog)
            with _only(settings, catalog, target) as index:
                total = _sum(total, _stretch(settings, index, target))
        wait_s = max(wait_s, 3600)  # It has begun: it waits for the runs that come in between.
        time.sleep(0 if total.complete else _BREATH_S)
    return {
        "generation": target.generation.id,
        "documents": total.documents,
        "chunks": total.chunks,
        "embedded": total.embedded,
        "tokens_embedded": total.tokens_embedded,
        "unreadable": total.unreadable,
        "invalid": total.invalid,
        "next": f"headwater generation promote {target.generation.id}",
    }


def _stretch(settings: Settings, index: Index, target: Target) -> Built:
    until = time.monotonic() + _STRETCH_S
    judge = judge_for(settings, target)
    return build(index, target, judge, lambda built: time.monotonic() < until)


def _sum(one: Built, other: Built) -> Built:
    return Built(
        one.documents + other.documents,
        one.chunks + other.chunks,
        one.embedded + other.embedded,
        one.tokens_embedded + other.tokens_embedded,
        one.unreadable + other.unreadable,
        one.invalid + other.invalid,
        other.complete,
    )


@contextmanager
def _only(settings: Settings, catalog: Catalog, target: Target) -> Iterator[Index]:
    """An index of one generation: the others' models need not be there to build it."""
    with closing(open_vectors(settings)) as vectors:
        texts = text_store(settings)
        yield Index(catalog, texts, vectors, target.embedder, target.generation)


def _target(settings: Settings, catalog: Catalog) -> Target:
    with catalog.reading() as connection:
        wanted = wanted_generation(settings, generation_rows.all_generations(connection))
        known = generation_rows.find_generation(connection, wanted.id)
    if known is None or known.state is GenerationState.DROPPED:
        return Target(wanted, open_embedder(settings, wanted))
    if known.state is not GenerationState.BUILDING:
        raise UserError(
            f"generation {known.id} is built already ({known.state}): the settings ask for no other"
        )
    return Target(known, open_embedder(settings, known))


def _begun(settings: Settings, catalog: Catalog) -> Target:
    """The generation, entered into the catalog: from then on runs write to it too."""
    target = _target(settings, catalog)
    with catalog.reading() as connection:
        known = {one.id for one in generation_rows.all_generations(connection)}
    if not known:
        raise nothing_ingested(settings)
    if target.generation.id not in known:
        with closing(open_vectors(settings)) as vectors:
            vectors.drop(target.generation.collection)  # Left if dropping it was cut short.
        with catalog.writing() as connection:
            generation_rows.add_generation(connection, target.generation, datetime.now(UTC))
    return target


def promote_generation(settings: Settings, generation_id: str) -> str:
    """Make a complete generation the one that is searched.

    Returns:
        Its id.

    Raises:
        UsageError: There is none with this id.
        UserError: Not all documents are in it.
    """
    with open_catalog(settings) as catalog, catalog.writing() as connection:
        known = generation_rows.all_generations(connection)
        chosen = _chosen(known, generation_id)
        if chosen.state is GenerationState.LIVE:
            return chosen.id
        n_left_out = chunk_rows.count_left_out(connection, chosen.id)
        if chosen.state is GenerationState.BUILDING or n_left_out:
            raise UserError(
                f"generation {chosen.id} lacks documents: headwater generation build, then "
                f"headwater ingest ({n_left_out} are not in it)"
            )
        generation_rows.promote(connection, chosen.id, datetime.now(UTC))
    return chosen.id


def roll_back(settings: Settings) -> str:
    """Make the generation that was searched before the one that is searched.

    Returns:
        Its id.

    Raises:
        UserError: There is none, or it has been dropped.
    """
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        kept = {
            one.id
            for one in generation_rows.all_generations(connection)
            if one.state is GenerationState.KEPT
        }
        before = [one for one, _, _ in generation_rows.reigns(connection) if one in kept]
    if not before:
        raise UserError("no generation was searched before, or it has been dropped")
    return promote_generation(settings, before[-1])


def drop_generation(settings: Settings, generation_id: str, *, wait_s: float = 0) -> str:
    """Remove a generation that is not searched, with its vectors.

    Returns:
        Its id.

    Raises:
        LeaseHeld: Another process writes, longer than `wait_s`.
        UsageError: There is none with this id.
        UserError: It is the one that is searched.
    """
    with open_catalog(settings) as catalog, index_lease(settings, catalog, wait_s=wait_s):
        with catalog.writing() as connection:
            chosen = _chosen(generation_rows.all_generations(connection), generation_id)
            if chosen.state is GenerationState.LIVE:
                raise UserError(f"generation {chosen.id} is searched: promote another one first")
            chunk_rows.retire_generation(connection, chosen.id)
            generation_rows.mark_dropped(connection, chosen.id)
        with closing(open_vectors(settings)) as vectors:
            vectors.drop(chosen.collection)
    return chosen.id


def _chosen(known: list[Generation], prefix: str) -> Generation:
    found = [one for one in known if one.id.startswith(prefix)]
    if len(found) != 1:
        ids = ", ".join(one.id for one in known) or "none"
        raise UsageError(f"{prefix} names no one generation: {ids}")
    return found[0]
