"""Real stores, on both databases, and a model that only counts."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.catalog.database import Catalog
from index.catalog.generations import Generation
from index.chroma.client import ChromaFolder
from index.chunking import ChunkerSettings
from index.embedding import DEFAULT_MODEL, find_model
from index.stores import Index
from index.texts import TextFolder, TextStore
from index.tokens import TokenCounter
from index.vectors import VectorStore
from tests.fakes import FakeEmbedder

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def counter() -> TokenCounter:
    files = find_model(DEFAULT_MODEL)
    return TokenCounter(files.folder / "tokenizer.json", files.window)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.proof)])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def catalog(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Catalog]:
    in_file = database_kind == "sqlite"
    url = f"sqlite:///{tmp_path / 'catalog.db'}" if in_file else request.getfixturevalue("database")
    with closing(Catalog(url)) as made:
        yield made


@pytest.fixture
def index(tmp_path: Path, catalog: Catalog) -> Iterator[Index]:
    with closing(VectorStore(ChromaFolder(tmp_path / "chroma"))) as vectors:
        yield Index(
            catalog=catalog,
            texts=TextStore(TextFolder(tmp_path / "texts")),
            vectors=vectors,
            embedder=FakeEmbedder(find_model(DEFAULT_MODEL)),
            generation=Generation("0" * 16, "fake", "r1", ChunkerSettings().key, "headwater-test"),
        )
