"""What all tests share."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from index.catalog.database import Catalog
from tests.servers import Postgres, postgres_programs

ROOT = Path(__file__).parent.parent

settings.register_profile(
    "default",
    max_examples=60,
    deadline=None,
    phases=set(Phase) - {Phase.explain},  # It traces every line: several times the seconds.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """What bytes are called in a test's name: packed, they hold the time of the packing, and no two
    processes of one run would have the same tests."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session", autouse=True)
def torch_backend() -> Iterator[None]:
    """Indexes are made with torch, in processes that tests start too: a state directory of its own
    for each test would export the model for each."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HEADWATER_INDEX__BACKEND", "torch")
        yield


@pytest.fixture(scope="session")
def samples() -> Path:
    return ROOT / "samples"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with Postgres(programs) as cluster:
        cluster.make_database("migrated")
        with closing(Catalog(cluster.url("migrated"))):
            pass
        yield cluster


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The URL of a catalog in PostgreSQL, with its tables and nothing in them."""
    name = uuid.uuid4().hex
    yield postgres.make_database(name, template="migrated")
    postgres.drop_database(name)
