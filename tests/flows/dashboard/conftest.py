"""An ingested folder with some of everything in it, and a dashboard that shows it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from flows.dashboard.access import Access
from flows.dashboard.app import make_app
from flows.dashboard.jobs import Jobs
from flows.settings import Settings, load_settings
from tests.documents import encrypted_pdf, pdf
from tests.fakes import FakeEmbedder

PASSWORD = "correct-horse-battery"
LOCKED = "Words behind a lock."
MARKUP = "<script>alert('from the text')</script>"
HOSTILE = '"><img src=x onerror=alert(1)>\u202e.md'
"""A name of a document that would like to be more than that."""
RETRYING = (sys.executable, str(Path(__file__).parent / "retry_with_fake.py"))
TOKEN = "a-token-of-more-than-sixteen-characters"


def write_documents(folder: Path) -> None:
    leave = "\n".join(f"## Part {n}\n\nAnnual leave accrues in part {n}." for n in range(90))
    (folder / "leave.md").write_text(f"# Leave\n\n{leave}\n")
    (folder / "pages.pdf").write_bytes(pdf("First page of rules.", "Second page of rules."))
    (folder / HOSTILE).write_text(f"# Hostile\n\nSome text, {MARKUP} and more of it.\n")
    (folder / "secret.pdf").write_bytes(encrypted_pdf(LOCKED, PASSWORD))
    (folder / "secret<b>bold.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "noise.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "empty.txt").write_text("")


@pytest.fixture(scope="session")
def ingested(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `docs` and, in `state`, what two runs over it have left; not to be changed."""
    place = tmp_path_factory.mktemp("ingested")
    (place / "docs").mkdir()
    write_documents(place / "docs")
    (place / "headwater.toml").write_text(
        'state_dir = "state"\n'
        '[[sources]]\nname = "handbook"\nuri = "docs"\nschedule = "*/15 * * * *"\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.wiring.Embedder", FakeEmbedder)
        patch.chdir(place)
        from flows.ingest import ingest

        ingest("handbook")
        (place / "docs" / "pages.pdf").write_bytes(pdf("First page of rules.", "Another page."))
        ingest("handbook")
    return place


@pytest.fixture
def place(ingested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that may be changed."""
    copy = tmp_path / "place"
    shutil.copytree(ingested, copy)
    monkeypatch.chdir(copy)
    monkeypatch.setattr("flows.wiring.Embedder", FakeEmbedder)
    return copy


@pytest.fixture
def settings(place: Path) -> Settings:
    return load_settings(place / "headwater.toml")


Open = Callable[..., TestClient]


@pytest.fixture
def browse(settings: Settings, place: Path) -> Iterator[Open]:
    """Opens a dashboard of the copy, by default for whoever is at this machine."""
    opened = []

    def start(
        token: str | None = None, user_header: str | None = None, jobs: Jobs | None = None
    ) -> TestClient:
        access = Access(local_user="ann@here", token=token, user_header=user_header)
        app = make_app(settings, access, place / "headwater.toml", jobs or Jobs(RETRYING))
        client = TestClient(app, base_url="http://localhost", follow_redirects=False)
        opened.append(client.__enter__())
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(browse: Open) -> TestClient:
    return browse()


def form_key(client: TestClient) -> str:
    """What the forms of the pages hold."""
    return str(client.get("/api/session").json()["form_key"])


def entry_ids(client: TestClient) -> dict[str, str]:
    """By uri, the ids of entries that are not resolved."""
    found = client.get("/api/quarantine/entries").json()["items"]
    return {one["uri"]: one["id"] for one in found}
