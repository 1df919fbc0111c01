"""Another chunker or model, and earlier answers, as a user meets them."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.runs.lease import index_lease
from flows.settings import load_settings
from flows.wiring import open_catalog
from index.errors import StoreDamaged

pytestmark = pytest.mark.proof

PAGE = "# Leave\n\n" + " ".join(f"Rule {n} says that leave accrues every month." for n in range(30))


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def config(tmp_path: Path, state: Path) -> Path:
    """Settings that ask for smaller chunks than the state directory has."""
    file = tmp_path / "other.toml"
    file.write_text(f'state_dir = "{state}"\n[index]\nchunk_tokens = 64\n')
    return file


@pytest.fixture
def filled(ingest, folder, state) -> Path:
    (folder / "leave.md").write_text(PAGE)
    ingest()
    return state


def generations(config: Path) -> dict[str, dict[str, Any]]:
    result = call("generation", "list", "--config", config, "--json")
    assert result.exit_code == 0, result.output
    return {row["state"]: row for row in map(json.loads, result.stdout.splitlines())}


def n_found(config: Path) -> int:
    result = call("search", "leave", "-k", 50, "--config", config, "--json")
    assert result.exit_code == 0, result.output
    return len(result.stdout.splitlines())


def test_a_generation_is_built_promoted_rolled_back_and_dropped(
    ingest, filled, config, folder, state, tmp_path
):
    before = n_found(config)
    assert generations(config)["wanted"]["chunks"] == 0
    estimate = json.loads(
        call("generation", "build", "--estimate", "--config", config, "--json").stdout
    )
    built = json.loads(call("generation", "build", "--config", config, "--json").stdout)
    assert built["chunks"] == estimate["chunks"] > before
    assert (built["documents"], built["unreadable"]) == (1, [])
    assert n_found(config) == before
    listed = generations(config)
    assert (listed["ready"]["chunks"], listed["live"]["chunks"]) == (built["chunks"], before)

    assert (
        call("generation", "promote", listed["ready"]["id"][:4], "--config", config).exit_code == 0
    )
    assert n_found(config) == built["chunks"]
    (folder / "new.md").write_text("# New\n\nA new rule on leave.\n")
    report = ingest(config=str(config))
    assert (report["documents"]["indexed"], report["notes"]) == (1, [])
    assert n_found(config) == built["chunks"] + 1

    assert call("generation", "rollback", "--config", config).exit_code == 0
    assert n_found(config) == before + 1
    assert call("reconcile", "--config", config).exit_code == 0
    assert call("generation", "drop", listed["live"]["id"], "--config", config).exit_code == 1
    assert call("generation", "drop", listed["ready"]["id"], "--config", config).exit_code == 0
    assert set(generations(config)) == {"live", "wanted"}
    assert n_found(config) == before + 1


def test_a_run_says_that_the_settings_ask_for_another_and_keeps_up_the_live_one(
    ingest, filled, config, folder
):
    (folder / "new.md").write_text("# New\n\nA new rule.\n")
    report = ingest(config=str(config))
    assert report["documents"]["indexed"] == 1
    assert "headwater generation build" in report["notes"][0]


def test_what_is_incomplete_or_unknown_is_not_promoted(filled, config):
    assert call("generation", "promote", "ffff", "--config", config).exit_code == 2
    result = call("generation", "rollback", "--config", config)
    assert result.exit_code == 1
    assert "no generation was searched before" in result.stderr


def test_building_waits_for_a_run(filled, config, state):
    settings = load_settings(config)
    with open_catalog(settings) as catalog, index_lease(settings, catalog):
        result = call("generation", "build", "--config", config)
    assert result.exit_code == 1
    assert "is writing to" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_answer_given_earlier_can_be_traced(ingest, filled, folder, state):
    (answer,) = ask(state, "rule 3")[:1]
    then = datetime.now(UTC).isoformat()
    time.sleep(0.05)
    (folder / "leave.md").write_text("# Leave\n\nThere is no leave any more.\n")
    ingest(verify=True)
    assert [one["text"] for one in ask(state, "rule 3")] == [
        "# Leave\n\nThere is no leave any more."
    ]
    assert ask(state, "rule 3", "--as-of", then)[0] == answer
    traced = json.loads(call("explain", answer["chunk_id"], "--state", state, "--json").stdout)
    assert traced["text"] == answer["text"]
    (period,) = traced["searchable"]
    assert period["from"] <= then[:23] < period["until"]
    document = json.loads(
        call("explain", "leave.md", "--as-of", then, "--state", state, "--json").stdout
    )
    assert answer["chunk_id"] in {chunk["chunk_id"] for chunk in document["chunks"]}
    assert document["searchable_version"]["version"] == traced["version"]
    assert len(document["versions"]) == 2


def ask(state: Path, words: str, *options: str) -> list[dict[str, Any]]:
    result = call("search", words, "-k", 50, "--state", state, "--json", *options)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_time_before_everything_or_none_at_all_is_told(filled, state):
    result = call("search", "leave", "--as-of", "2001-01-01", "--state", state)
    assert result.exit_code == 1
    assert "nothing was searchable" in result.stderr
    result = call("search", "leave", "--as-of", "last week", "--state", state)
    assert result.exit_code == 2
    assert "--as-of last week" in result.stderr


def test_the_catalog_answers_while_the_vector_store_is_in_use(filled, state):
    expected = ask(state, "rule 3")
    settings = load_settings(state_dir=state)
    from flows.wiring import open_stores

    with open_stores(settings) as index:
        index.vectors.collections()  # Opens it, as a run does.
        assert [one["chunk_id"] for one in ask(state, "rule 3")] == [
            one["chunk_id"] for one in expected
        ]


def test_the_catalog_answers_while_the_search_index_is_torn(filled, state, monkeypatch):
    expected = ask(state, "rule 3")

    def torn(*_args: object, **_more: object) -> NoReturn:
        raise StoreDamaged("vectors: Error constructing hnsw segment reader")

    monkeypatch.setattr("index.vectors.VectorStore.search", torn)
    assert ask(state, "rule 3") == expected


def test_clean_says_what_it_gave_back(ingest, filled, folder, state):
    (folder / "leave.md").unlink()
    ingest(allow_removal=True)
    result = call("clean", "--state", state, "--json")
    assert json.loads(result.stdout) == {
        "versions": 0, "documents": 0, "embeddings": 0, "texts": 0, "looks": 0,
    }  # fmt: skip
    none_kept = state.parent / "none.toml"
    none_kept.write_text(f'state_dir = "{state}"\n[retention]\nhistory = "0s"\n')
    cleaned = json.loads(call("clean", "--config", none_kept, "--json").stdout)
    assert (cleaned["versions"], cleaned["documents"], cleaned["texts"]) == (1, 1, 1)
