"""The one place where settings become stores, model and sandbox."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from flows.errors import UserError
from flows.metadata.fields import fields_of
from flows.models import choose_model, model_of
from flows.runs.gate import Gate
from flows.runs.outages import persistently
from flows.settings import Settings
from flows.source_settings import SourceSettings
from index.catalog.database import Catalog
from index.catalog.generations import (
    COLLECTION_PREFIX,
    Generation,
    GenerationState,
    add_generation,
    all_generations,
    live_generation,
)
from index.chroma.client import ChromaFolder, ChromaServer
from index.embedding import Embedder, ModelFiles, find_model
from index.identity import generation_id
from index.plan import Expectation
from index.records import iso
from index.stores import Index
from index.targets import Target
from index.text_objects import TextObjects
from index.texts import TextFolder, TextStore
from index.vectors import VectorStore
from parsers.reasons import Reason
from parsers.registry import failure_key, parser_key
from parsers.sandbox import Sandbox

CATALOG_FILE = "catalog.db"
_OF_METADATA = (Reason.METADATA_MISSING, Reason.METADATA_INVALID)


def make_state_dir(settings: Settings) -> None:
    """Make the state directory if it is not there.

    Raises:
        UserError: It cannot be made or written to.
    """
    state_dir = settings.state_dir
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        probe = state_dir / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        full = error.errno == errno.ENOSPC
        remedy = "make room" if full else "set another with --state DIR"
        raise UserError(
            f"the state directory {state_dir} cannot be written to ({error.strerror}): {remedy}"
        ) from error


@contextmanager
def open_catalog(settings: Settings) -> Iterator[Catalog]:
    """The catalog, for commands that need nothing else.

    Raises:
        StoreUnavailable: It cannot be opened.
    """
    catalog = persistently(lambda: Catalog(_catalog_url(settings), settings.store_timeout_s))
    try:
        yield catalog
    finally:
        catalog.close()


def _catalog_url(settings: Settings) -> str:
    return settings.catalog_url or f"sqlite:///{settings.state_dir / CATALOG_FILE}"


@contextmanager
def open_index(settings: Settings, catalog: Catalog) -> Iterator[Index]:
    """The stores with every generation that is kept up to date; the first one is made here.

    Raises:
        StoreUnavailable: A store cannot be opened.
        ModelUnusable: The model that the settings name cannot be used.
        UserError: The model of a generation is not what it was.
    """
    generations = persistently(lambda: _generations(settings, catalog))
    models = {(one.model, one.revision): one for one in generations}
    embedders = {key: open_embedder(settings, one) for key, one in models.items()}
    targets = [Target(one, embedders[one.model, one.revision]) for one in generations]
    live = next(one for one in targets if one.generation.state is GenerationState.LIVE)
    others = tuple(one for one in targets if one is not live)
    with closing(open_vectors(settings)) as vectors:
        texts = text_store(settings)
        yield Index(catalog, texts, vectors, live.embedder, live.generation, others)


@contextmanager
def open_stores(settings: Settings) -> Iterator[Index]:
    """Catalog and index at once.

    Raises:
        StoreUnavailable, ModelUnusable, UserError: As in `open_index`.
    """
    with open_catalog(settings) as catalog, open_index(settings, catalog) as index:
        yield index


@contextmanager
def open_to_search(
    settings: Settings,
    catalog: Catalog,
    embedder_of: Callable[[Generation], Embedder] | None = None,
) -> Iterator[Index]:
    """The stores with the generation that is searched, and no other.

    Args:
        settings: That say where.
        catalog: Open.
        embedder_of: Gives the model of a generation, for callers that keep it.

    Raises:
        UserError: Nothing has been ingested, or the model is not what it was.
    """
    with catalog.reading() as connection:
        live = live_generation(connection)
    if live is None:
        raise nothing_ingested(settings)
    embedder = embedder_of(live) if embedder_of else open_embedder(settings, live)
    with closing(open_vectors(settings, wait_s=0)) as vectors:
        yield Index(catalog, text_store(settings), vectors, embedder, live)


def open_vectors(settings: Settings, *, wait_s: float = 60) -> VectorStore:
    """The vector store; whoever asked for it closes it.

    Args:
        settings: That say where.
        wait_s: How long to wait for another process that has the folder open.
    """
    home = (
        ChromaServer(settings.vectors_url)
        if settings.vectors_url
        else ChromaFolder(settings.state_dir / "chroma", wait_s=wait_s)
    )
    return VectorStore(home, timeout_s=settings.store_timeout_s)


def wanted_generation(settings: Settings, known: Sequence[Generation] = ()) -> Generation:
    """The generation that the settings describe, be there one or not.

    Args:
        settings: Where the backend is left open, a generation that is known suits them, whatever
            runs its model; the one that is searched before others.
        known: Those that are kept up to date.

    Raises:
        ModelUnusable: The model cannot be used.
    """
    chunker = settings.index.chunker.key
    if settings.index.backend == "auto" and known:
        files = find_model(settings.index.model)
        alike = [one for one in known if _is_of(one, files) and one.chunker == chunker]
        if alike:
            return max(alike, key=lambda one: one.state is GenerationState.LIVE)
    model = choose_model(settings).model
    wanted = generation_id(model.name, model.revision, chunker)
    collection = f"{COLLECTION_PREFIX}{wanted}"
    return Generation(
        wanted, model.name, model.revision, chunker, collection, GenerationState.BUILDING
    )


def _is_of(generation: Generation, files: ModelFiles) -> bool:
    weights = generation.revision.partition("+")[0]
    return (generation.model, weights) == (files.name, files.weights)


def _generations(settings: Settings, catalog: Catalog) -> list[Generation]:
    with catalog.reading() as connection:
        known = all_generations(connection)
    return known or [_first_generation(settings, catalog)]


def _first_generation(settings: Settings, catalog: Catalog) -> Generation:
    made = replace(wanted_generation(settings), state=GenerationState.LIVE)
    with catalog.writing() as connection:
        add_generation(connection, made, datetime.now(UTC))
    return made


def open_embedder(settings: Settings, generation: Generation) -> Embedder:
    """The model of a generation, run as the generation was made, whatever suits this machine.

    Raises:
        ModelUnusable: It is not there.
        UserError: It is not what it was.
    """
    files = model_of(settings, generation.model, generation.revision)
    if files.revision != generation.revision:
        raise UserError(
            f"the index was built with {files.name} revision {generation.revision}, and revision "
            f"{files.revision} is what is there now: put the model back, or build a generation "
            "with the new one (headwater generation build) and drop the old"
        )
    return Embedder(files)


def text_store(settings: Settings) -> TextStore:
    """The stored texts; nothing is opened before it is used."""
    if settings.texts_url:
        return TextStore(TextObjects(settings.texts_url, timeout_s=settings.store_timeout_s))
    return TextStore(TextFolder(settings.state_dir / "texts"))


def make_gate(source: SourceSettings) -> Gate:
    return Gate(source.requests.at_once, source.requests.per_second)


def make_sandbox(
    settings: Settings,
    source: SourceSettings,
    *,
    passwords: tuple[str, ...] = (),
    read_as: Callable[[str], str] = lambda uri: "",
) -> Sandbox:
    """The sandbox for a source's documents; whoever asked for it closes it.

    Args:
        settings: Limits and options.
        source: Whose documents.
        passwords: To be tried besides those that the settings name.
        read_as: Of a uri, the media type to take it for.
    """
    return Sandbox(
        settings.limits.limits,
        settings.parse_options(source),
        n_workers=settings.limits.workers,
        passwords=lambda uri: (*passwords, *source.passwords_for(uri)),
        read_as=read_as,
    )


def make_expectation(settings: Settings, source: SourceSettings) -> Expectation:
    """What results must have been made with to hold still."""
    options, limits = settings.parse_options(source), settings.limits.limits
    tried = _digest_of_passwords(source)
    fields = fields_of(source).key

    def key_of_failure(media_type: str, code: Reason) -> str:
        passwords = tried if code is Reason.ENCRYPTED else ""
        key = failure_key(media_type, options, limits, passwords=passwords)
        return _with_fields(key, fields) if code in _OF_METADATA else key

    def key_of_result(media_type: str) -> str:
        return _with_fields(parser_key(media_type, options), fields)

    # Each document is asked about, and there are few types.
    return Expectation(parser_key=cache(key_of_result), failure_key=cache(key_of_failure))


def _with_fields(key: str, fields: str) -> str:
    """A key that changes with what the source demands of metadata, too."""
    return f"{key} fields={fields}" if fields else key


def _digest_of_passwords(source: SourceSettings) -> str:
    """Tells whether they changed, and not what they are: it is slow to try others on it."""
    held = "\n".join(f"{entry.pattern}\n{os.environ[entry.env]}" for entry in source.passwords)
    if not held:
        return ""
    return hashlib.pbkdf2_hmac("sha256", held.encode(), source.name.encode(), 200_000).hex()


def has_state(settings: Settings) -> bool:
    """Whether there can be anything that was ever ingested."""
    return bool(settings.catalog_url) or Path(settings.state_dir / CATALOG_FILE).is_file()


def nothing_ingested(settings: Settings, moment: datetime | None = None) -> UserError:
    """What to tell whoever asks for what is not there."""
    if moment is not None:
        return UserError(f"nothing was searchable in {settings.state_dir} at {iso(moment)}")
    return UserError(
        f"nothing has been ingested into {settings.state_dir} yet: headwater ingest FOLDER"
    )
