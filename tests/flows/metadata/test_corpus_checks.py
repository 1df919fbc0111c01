"""Checks over a whole run, and the pages that show what checks said."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows.settings import load_settings
from flows.wiring import open_catalog
from index.catalog import tables
from tests.flows.test_cli import call, lines
from tests.flows.test_ingest import contents, found

pytestmark = pytest.mark.proof


@pytest.fixture
def run(ingest, tmp_path):
    def run(settings: str = "", **options: Any) -> dict[str, Any]:
        config = tmp_path / "headwater.toml"
        config.write_text(f'[[sources]]\nname = "s"\nuri = "docs"\n{settings}\n')
        return ingest("s", config=str(config), **options)

    return run


def fill(folder: Path, n: int) -> None:
    for number in range(n):
        (folder / f"{number}.md").write_text(f"# Page {number}\n\nWords of {number}.\n")


def test_a_listing_that_is_far_too_short_stops_before_anything_is_written(run, folder, state):
    fill(folder, 24)
    run()
    before = contents(state)
    for number in range(18):
        (folder / f"{number}.md").unlink()
    (folder / "20.md").write_text("# Changed\n\nEverything is new.\n")
    for _ in range(2):  # A run that was stopped is not what the next one is compared with.
        report = run()
        assert report["state"] == "failed"
        assert "documents_against_last is 0.25, below 0.5" in report["error"]
        assert "--allow-removal" in report["error"]
        assert contents(state) == before
    found(run(allow_removal=True), found=6, indexed=1, unchanged=5, removed=18)
    found(run(), found=6, unchanged=6)


def test_a_number_below_its_minimum_fails_the_run_and_says_what_it_was(run, folder, state):
    fill(folder, 4)
    settings = "[sources.checks]\nfrom_documents = 1\nchunks_per_document = { min = 0.9 }\n"
    settings += "share_quarantined = { stop_above = 0.4 }\n"
    assert run(settings)["state"] == "completed"
    for number in range(3):
        (folder / f"{number}.md").write_text("")
    for _ in range(2):  # Nothing changes in between, and it is as bad as it was.
        report = run(settings)
        assert report["state"] == "failed"
        assert report["error"] == "s: share_quarantined is 0.75, above 0.4, 0 before"
        assert report["balanced"]
    with open_catalog(load_settings(state_dir=state)) as catalog, catalog.reading() as connection:
        states = list(
            connection.scalars(sa.select(tables.run.c.state).order_by(tables.run.c.started_at))
        )
    assert states == ["completed", "failed", "failed"]


def test_a_number_above_its_maximum_warns_and_the_run_is_completed(run, folder):
    fill(folder, 2)
    report = run("checks = { from_documents = 1, chunks_per_document = { max = 0.5 } }")
    assert report["state"] == "completed"
    (warned,) = [one for one in report["checks"]["run"] if one["verdict"] == "warning"]
    assert (warned["name"], warned["value"], warned["bound"]) == ("chunks_per_document", 1.0, 0.5)


def test_the_samples_pass_the_checks_that_nobody_set(ingest, samples):
    report = ingest(samples)
    assert {one["verdict"] for one in report["checks"]["run"]} == {"passed"}
    assert report["checks"]["invalid"] == report["checks"]["warned"] == 0
    assert report["checks"]["chunks"] == report["chunks"]["made"] > 300


def test_checks_show_tells_rules_documents_and_numbers(run, folder, state):
    (folder / "good.md").write_text("---\nowner: Ann\n---\nWords.\n")
    (folder / "bad.md").write_text("Words.\n")
    report = run('required_metadata = ["owner"]')
    shown = call("checks", "show", "--state", state)
    assert re.search(r"bad\.md\s+error\s+owner: expect_column_values_to_not_be_null", shown.stdout)
    assert "good.md" not in shown.stdout
    assert "share_quarantined is 0.5" in shown.stdout
    (said,) = lines(call("checks", "show", report["run_id"], "--state", state, "--json"))
    assert {name: said[name] for name in report["checks"]} == report["checks"]
    assert [(one["uri"], one["invalid"]) for one in said["noted"]] == [("bad.md", 1)]
    assert call("checks", "show", "nothing", "--state", state).exit_code == 2


def test_checks_docs_writes_a_page_for_each_source(run, folder, state, tmp_path):
    fill(folder, 2)
    run()
    result = call("checks", "docs", "--out", tmp_path / "out", "--state", state, "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout.splitlines()[-1])
    assert shown["source"] == "s"
    pages = [file.read_text("utf-8") for file in Path(shown["page"]).parent.rglob("*.html")]
    assert any("chunk_id" in page for page in pages)
    assert not any("Words of" in page for page in pages)
