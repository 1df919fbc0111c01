"""Metrics, the rules and panels that use them, and traces."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from checks.freshness import Objective
from flows.cli import app
from flows.freshness.metrics import render_metrics, write_metrics
from flows.ingest import ingest
from flows.runs import totals
from flows.settings import load_settings
from flows.wiring import open_catalog
from index.catalog import history
from index.catalog import runs as run_rows
from index.catalog.database import Catalog
from tests.conftest import ROOT
from tests.documents import pdf
from tests.fakes import FakeEmbedder

NAME = re.compile(r"\bheadwater_[a-z0-9_]+")
RULES = ROOT / "deploy/prometheus/alerts.yml"
BOARD = ROOT / "deploy/grafana/headwater.json"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed: the Debian package prometheus has it"
)
BAD = b"%PDF-1.4 nothing"


@pytest.fixture(scope="module")
def filled(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a state with everything in it that a metric tells of; tests only read it."""
    home = tmp_path_factory.mktemp("metrics")
    config, folder = home / "headwater.toml", home / "docs"
    folder.mkdir()
    canary = "canary = { enabled = true }"
    source = f'[[sources]]\nname = "handbook"\nuri = "docs"\n{canary}\n'
    config.write_text(f'state_dir = "state"\n{source}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.wiring.Embedder", FakeEmbedder)
        (folder / "leave.md").write_text("# Leave\n\nAnnual leave accrues.\n")
        (folder / "bad.pdf").write_bytes(BAD)
        (folder / "spoilt.pdf").write_bytes(pdf("Readable words."))
        ingest("handbook", config=str(config))
        (folder / "spoilt.pdf").write_bytes(BAD)
        (folder / "new.md").write_text("# New\n\nA change that was made since.\n")
        ingest("handbook", config=str(config))
        called = CliRunner().invoke(app, ["canary", "--config", str(config)])
    assert called.exit_code == 0, called.output
    return config


def rendered(config: Path, now: datetime | None = None) -> str:
    settings = load_settings(config)
    with open_catalog(settings) as catalog:
        return render_metrics(settings, catalog, now).decode()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, tuple(sorted({"source": "handbook", **labels}.items()))]


def test_metrics_tell_what_the_catalog_knows_again_after_a_restart(filled):
    text = rendered(filled)
    assert value(text, "headwater_source_state", state="fresh") == 1
    assert value(text, "headwater_source_state", state="unknown") == 0
    assert value(text, "headwater_source_stale_documents") == 1
    assert value(text, "headwater_source_chunks") == 4
    assert value(text, "headwater_source_searchable_documents") == 4
    assert value(text, "headwater_source_quarantined_documents", code="corrupt") == 2
    assert value(text, "headwater_source_objective_seconds", bound="error_after") == 86400
    key = {"kind": "ingest", "state": "completed_with_errors"}
    assert value(text, "headwater_runs_total", **key) == 3
    assert value(text, "headwater_documents_total", outcome="indexed") == 4
    assert value(text, "headwater_lag_seconds_count") == 2
    assert value(text, "headwater_run_duration_seconds_count", kind="ingest") == 3
    now = datetime.now(UTC).timestamp()
    until = value(text, "headwater_source_complete_as_of_timestamp_seconds")
    assert now - 120 < until <= now
    again = rendered(filled)
    changing = {"headwater_source_within_ratio", "headwater_source_budget_left_ratio"}
    assert {k: v for k, v in samples(text).items() if k[0] not in changing} == {
        k: v for k, v in samples(again).items() if k[0] not in changing
    }


def test_metrics_of_the_future_tell_that_nobody_looked(filled):
    later = rendered(filled, datetime.now(UTC) + timedelta(hours=30))
    assert value(later, "headwater_source_state", state="error") == 1
    assert value(later, "headwater_source_within_ratio") < 1


def test_no_metric_names_a_document(filled):
    text = rendered(filled)
    assert not [name for name in ("leave.md", "bad.pdf", "spoilt", "Annual") if name in text]
    labels = {name for key in samples(text) for name, _ in key[1]}
    assert labels <= {
        "source", "state", "bound", "outcome", "code", "percentile", "change", "how", "stage",
        "kind", "le", "version", "severity",
    }  # fmt: skip


def test_every_metric_that_rules_and_panels_name_is_exported(filled):
    exported = {name for name, _ in samples(rendered(filled))}
    rules = yaml.safe_load(RULES.read_text("utf-8"))
    board = json.loads(BOARD.read_text("utf-8"))
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    expressions += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    expressions += [one["definition"] for one in board["templating"]["list"] if "definition" in one]
    named = {name for expression in expressions for name in NAME.findall(expression)}
    assert len(named) > 15
    assert named <= exported


def test_the_board_asks_for_its_data_source_and_places_panels_side_by_side():
    board = json.loads(BOARD.read_text("utf-8"))
    assert [one["type"] for one in board["templating"]["list"]] == ["datasource", "query"]
    sources = {panel["datasource"]["uid"] for panel in board["panels"]}
    assert sources == {"${datasource}"}
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_metrics(filled):
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=rendered(filled), text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_rules():
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "check", "rules", RULES], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_text_file_is_all_there_or_as_it_was(tmp_path):
    file = tmp_path / "headwater.prom"
    write_metrics(b"one 1\n" * 50_000, file)
    with ThreadPoolExecutor() as pool:
        texts = (b"two 2\n" * 50_000, b"three 3\n" * 50_000) * 10
        writing = [pool.submit(write_metrics, text, file) for text in texts]
        while not all(one.done() for one in writing):
            assert len(set(file.read_bytes().splitlines())) == 1
        for one in writing:
            one.result()
    assert [made.name for made in tmp_path.iterdir()] == ["headwater.prom"]
    assert file.stat().st_mode & 0o777 == 0o644
    with pytest.raises(OSError, match="No such file"):
        write_metrics(b"", tmp_path / "missing" / "headwater.prom")


def test_the_command_writes_what_it_prints(filled, tmp_path):
    runner = CliRunner()
    out = tmp_path / "out.prom"
    result = runner.invoke(app, ["metrics", "--config", str(filled), "--out", str(out)])
    assert (result.exit_code, result.output) == (0, "")
    printed = runner.invoke(app, ["metrics", "--config", str(filled)]).output
    assert samples(out.read_text()).keys() == samples(printed).keys()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield made
    made.close()


def test_a_histogram_counts_every_value_once_and_on_from_what_there_was(catalog, tmp_path):
    values = (0.5, 60, 61, 10_000_000)
    with catalog.writing() as connection:
        for _ in range(2):
            added = totals._histogram(totals.LAG, "", values, totals.LAG_BOUNDS)
            history.add_totals(connection, "handbook", added)
    text = render_metrics(load_settings(state_dir=tmp_path), catalog).decode()
    found = {
        dict(labels)["le"]: n
        for (name, labels), n in samples(text).items()
        if name == "headwater_lag_seconds_bucket"
    }
    assert [found[bound] for bound in ("60.0", "300.0", "604800.0", "+Inf")] == [4, 6, 6, 8]
    assert value(text, "headwater_lag_seconds_sum") == 2 * sum(values)


def test_a_source_that_was_never_read_is_told_as_unknown(catalog, tmp_path):
    with catalog.writing() as connection:
        run_rows.start_run(
            connection, run_id="r" * 32, source="handbook", root="/", flow_run_id=None,
            now=datetime.now(UTC),
        )  # fmt: skip
    text = render_metrics(load_settings(state_dir=tmp_path), catalog).decode()
    assert value(text, "headwater_source_state", state="unknown") == 1
    assert ("headwater_source_last_check_timestamp_seconds", (("source", "handbook"),)) not in (
        samples(text)
    )


def test_history_is_thinned_by_age_and_loses_no_time(catalog):
    from flows.freshness.looks import record_freshness

    start = datetime(2026, 1, 1, tzinfo=UTC)
    objective = Objective(timedelta(hours=1), timedelta(hours=2))
    with catalog.writing() as connection:
        record_freshness(connection, "handbook", objective, start)
        first = history.last_look(connection, "handbook")
        for step in range(1, 40 * 24 * 4):
            at = start + step * timedelta(minutes=15)
            spans = {"within_s": 600.0, "outside_s": 200.0, "unknown_s": 100.0}
            history.save_look(connection, replace(first, at=at, **spans))
        now = start + timedelta(days=40)
        before = history.spans_since(connection, "handbook", start)
        history.thin(connection, now)
        assert history.thin(connection, now) == 0
        kept = history.looks(connection, "handbook", start - timedelta(days=1))
        assert history.spans_since(connection, "handbook", start) == pytest.approx(before)
    ages = [(now - look.at).total_seconds() / 86_400 for look in kept]
    assert sum(age <= 2 for age in ages) == 2 * 96
    assert sum(2 < age <= 30 for age in ages) == pytest.approx(28 * 24, abs=1)
    assert sum(age > 30 for age in ages) == 10
