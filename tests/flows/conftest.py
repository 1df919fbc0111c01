"""One Prefect server for all flow tests, and runs with a model that only counts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.alerts.delivery import is_understood
from flows.orchestration.runtime import prefect_server
from tests.fakes import FakeEmbedder
from tests.receivers import Webhook
from tests.servers import Chroma, chroma_server


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_HOME"):
            environment.delenv(name, raising=False)
        environment.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        with prefect_server(tmp_path_factory.mktemp("server")):
            yield


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroma]:
    with chroma_server(tmp_path_factory.mktemp("chroma")) as server:
        yield server


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds the settings of whoever runs it in its working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs"
    made.mkdir()
    return made


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


Ingest = Callable[..., dict[str, Any]]


@pytest.fixture
def ingest(prefect: None, folder: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    """Runs the flow over `folder`; a run that fails gives its report too."""
    from flows.errors import RunFailed
    from flows.ingest import ingest as flow

    monkeypatch.setattr("flows.wiring.Embedder", FakeEmbedder)

    def run(source: str | Path = folder, **options: Any) -> dict[str, Any]:
        try:
            return flow(str(source), state=str(state), **options)
        except RunFailed as failure:
            return failure.report.as_json()

    return run


SECRET = "xoxb6k2v9"
"""Part of a receiver's URL, as its token is."""


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    assert is_understood(made.url())  # Its first import takes longer than a test's patience.
    yield made
    made.close()


@pytest.fixture
def configure(tmp_path: Path, folder: Path) -> Callable[[str], Path]:
    """Writes settings with a source `handbook`, which is `folder`, and some about alerts."""

    def write(alerts: str) -> Path:
        file = tmp_path / "headwater.toml"
        source = '[[sources]]\nname = "handbook"\nuri = "docs"\n'
        file.write_text(f'state_dir = "state"\n{source}{alerts}\n')
        return file

    return write


@pytest.fixture
def config(configure: Callable[[str], Path], webhook: Webhook) -> Path:
    """Settings by which a webhook is told of everything."""
    return configure(f'[alerts]\nurls = ["{webhook.url(SECRET)}"]')
