"""The structure that the design promises."""

import ast
import re
from pathlib import Path

import pytest

from parsers.reasons import REMEDIES, Reason
from tests.conftest import ROOT

LAYERS = ("parsers", "index", "checks", "flows")
"""From the bottom up: each imports only itself and what stands before it."""
HOMES = {
    "chromadb": {"index/vectors.py", "index/chroma/client.py"},
    "chromadb_rust_bindings": {"index/chroma/service.py"},
    "sentence_transformers": {"index/backends/transformer.py", "index/backends/export.py"},
    "torch": {"index/backends/transformer.py", "index/backends/export.py"},
    "onnx": {"index/backends/export.py"},
    "onnxruntime": {"index/backends/quantized.py", "index/backends/export.py"},
    "great_expectations": {"checks/contract.py"},
    "office_oxide": {"parsers/office/legacy.py"},
    "apprise": {"flows/alerts/delivery.py"},
    "prometheus_client": {"flows/freshness/metrics.py"},
    "opentelemetry": {"flows/tracing.py"},
    "prefect": {
        "flows/orchestration/automations.py",
        "flows/commands/serving.py",
        "flows/orchestration/dead_runs.py",
        "flows/orchestration/deploying.py",
        "flows/alerts/events.py",
        "flows/freshness/artifacts.py",
        "flows/runs/elsewhere.py",
        "flows/runs/indexing.py",
        "flows/runs/runners.py",
        "flows/runs/steps.py",
        "flows/runs/turns.py",
        "flows/ingest.py",
        "flows/orchestration/runtime.py",
        "flows/orchestration/server.py",
        "flows/reprocess.py",
        "flows/scheduled.py",
        "flows/up/worker.py",
    },
}
DRAWERS = {"utils", "util", "common", "core", "base", "helpers", "misc"}


def modules() -> list[Path]:
    return sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    above = set(LAYERS[layer + 1 :])
    assert not above & {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_has_its_home(library):
    users = {
        str(path.relative_to(ROOT))
        for path in modules()
        if library in {name.split(".")[0] for name in imported(path)}
    }
    assert users == HOMES[library]


def test_only_flows_reads_the_environment():
    reading = re.compile(r"os\.environ\.get|os\.getenv|os\.environ\[[^]]+\](?!\s*=)")
    readers = {
        str(path.relative_to(ROOT)) for path in modules() if reading.search(path.read_text("utf-8"))
    }
    assert {reader.split("/")[0] for reader in readers} <= {"flows"}


def test_there_is_no_drawer_of_odd_things():
    assert not DRAWERS & {path.stem for path in modules()}


def test_every_reason_has_a_remedy_and_an_entry_in_the_docs():
    documented = re.findall(r"^## `(\w+)`", (ROOT / "docs/reasons.md").read_text("utf-8"), re.M)
    assert documented == [reason.value for reason in Reason]
    assert set(REMEDIES) == set(Reason)


def test_the_docs_give_each_reason_the_remedy_that_the_program_gives():
    text = " ".join((ROOT / "docs/reasons.md").read_text("utf-8").split())
    for reason in Reason:
        assert REMEDIES[reason] in text, reason


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_the_docs_name_only_modules_that_exist(page):
    named = re.findall(r"`([\w/]+/\w+\.py)`", page.read_text("utf-8"))
    assert not [name for name in named if not (ROOT / name).exists()]
