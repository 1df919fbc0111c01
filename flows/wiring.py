"""The one place where settings become stores, model and sandbox."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flows.errors import UserError
from flows.fields import fields_of
from flows.settings import Settings, SourceSettings
from index.catalog.database import Catalog
from index.catalog.generations import Generation, live_generation, save_live
from index.embedding import Embedder, find_model
from index.identity import generation_id
from index.plan import Expectation
from index.publishing import Index
from index.texts import TextStore
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
    catalog = Catalog(f"sqlite:///{settings.state_dir / CATALOG_FILE}")
    try:
        yield catalog
    finally:
        catalog.close()


@contextmanager
def open_index(settings: Settings) -> Iterator[Index]:
    """The stores and the generation that the settings describe.

    Raises:
        StoreUnavailable: A store cannot be opened.
        ModelUnusable: The model cannot be used.
        UserError: The state directory holds another generation.
    """
    embedder = Embedder(find_model(settings.index.model))
    vectors = VectorStore(settings.state_dir / "chroma")
    with open_catalog(settings) as catalog, closing(vectors):
        generation = _generation(settings, catalog, embedder)
        yield Index(catalog, text_store(settings), vectors, embedder, generation)


def _generation(settings: Settings, catalog: Catalog, embedder: Embedder) -> Generation:
    model, chunker = embedder.files, settings.index.chunker.key
    wanted = generation_id(model.name, model.revision, chunker)
    with catalog.reading() as connection:
        live = live_generation(connection)
    if live is not None and live.id != wanted:
        raise UserError(
            f"{settings.state_dir} was built with {live.model} ({live.chunker}), the settings ask "
            f"for {model.name} ({chunker}): set them back, or use another state directory"
        )
    if live is not None:
        return live
    made = Generation(wanted, model.name, model.revision, chunker, f"headwater-{wanted}")
    with catalog.writing() as connection:
        save_live(connection, made, datetime.now(UTC))
    return made


def text_store(settings: Settings) -> TextStore:
    return TextStore(settings.state_dir / "texts")


def make_sandbox(settings: Settings, source: SourceSettings) -> Sandbox:
    """The sandbox for a source's documents; whoever asked for it closes it."""
    return Sandbox(
        settings.limits.limits,
        settings.parse_options(source),
        n_workers=settings.limits.workers,
        passwords=source.passwords_for,
    )


def make_expectation(
    settings: Settings, source: SourceSettings, generation: Generation
) -> Expectation:
    """What results must have been made with to hold still."""
    options, limits = settings.parse_options(source), settings.limits.limits
    tried = _digest_of_passwords(source)
    fields = fields_of(source).key

    def key_of_failure(media_type: str, code: Reason) -> str:
        passwords = tried if code is Reason.ENCRYPTED else ""
        key = failure_key(media_type, options, limits, passwords=passwords)
        return _with_fields(key, fields) if code in _OF_METADATA else key

    return Expectation(
        generation=generation.id,
        parser_key=lambda media_type: _with_fields(parser_key(media_type, options), fields),
        failure_key=key_of_failure,
    )


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
    """Whether anything was ever ingested into the state directory."""
    return Path(settings.state_dir / CATALOG_FILE).is_file()
