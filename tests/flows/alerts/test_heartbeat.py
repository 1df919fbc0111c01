"""Each run that comes to its end calls its heartbeat URL; one that does not arrive is told of."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows.alerts import heartbeat
from flows.settings import SettingsError, load_settings
from flows.wiring import open_catalog
from index.catalog.alerts import alerts_on

pytestmark = pytest.mark.proof

TOKEN = "tok3n-9f2a"


class Watcher:
    """Waits for heartbeats; refuses with the statuses that it is given, one after the other."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.refusals: list[int] = []
        watcher = self

        class Requests(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                watcher.paths.append(self.path)
                self.send_response(watcher.refusals.pop(0) if watcher.refusals else 200)
                self.end_headers()

            def log_message(self, *words: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{TOKEN}"


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    monkeypatch.setattr(heartbeat, "_DELAYS_S", (0.01, 0.01))
    made = Watcher()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def run(ingest, configure, folder, watcher):
    (folder / "a.md").write_text("# Leave\n\nAnnual leave accrues.\n")
    config = configure(f'heartbeat_url = "{watcher.url}"')
    return lambda: ingest("handbook", config=str(config))


def told(state: Path) -> list[str]:
    with (
        open_catalog(load_settings(state_dir=state)) as catalog,
        catalog.reading() as connection,
    ):
        return [f"{alert.summary}" for alert in alerts_on(connection).values()]


def test_a_run_that_comes_to_its_end_calls_it_and_one_that_fails_does_not(run, watcher, folder):
    run()
    assert watcher.paths == [f"/{TOKEN}"]
    (folder / "a.md").unlink()
    assert run()["state"] == "failed"
    assert len(watcher.paths) == 1


def test_it_is_called_again_before_anybody_is_told(run, watcher, state):
    watcher.refusals = [503, 503]
    assert run()["state"] == "completed"
    assert len(watcher.paths) == 3
    assert told(state) == []


def test_one_that_does_not_arrive_is_told_of_without_its_address(run, watcher, state, caplog):
    watcher.refusals = [500] * 3
    assert run()["state"] == "completed"
    assert told(state) == ["the heartbeat does not arrive"]
    assert "HTTP 500" in caplog.text
    assert TOKEN not in caplog.text
    run()
    assert told(state) == []


def test_a_wrong_url_is_an_error_that_does_not_show_it(tmp_path):
    for place in ("[alerts]\n", '[[sources]]\nname = "a"\nuri = "a"\n'):
        file = tmp_path / "headwater.toml"
        file.write_text(f'{place}heartbeat_url = "hc.example/{TOKEN}"\n')
        with pytest.raises(SettingsError, match="heartbeat_url") as wrong:
            load_settings(file)
        assert TOKEN not in str(wrong.value)


@pytest.mark.parametrize("schedule", ["every day", "* * *", "5s", "61s 3", "* * * * x!"])
def test_a_wrong_schedule_is_an_error_that_names_it(tmp_path, schedule):
    file = tmp_path / "headwater.toml"
    file.write_text(f'[[sources]]\nname = "a"\nuri = "a"\nschedule = "{schedule}"\n')
    with pytest.raises(SettingsError, match="schedule"):
        load_settings(file)
