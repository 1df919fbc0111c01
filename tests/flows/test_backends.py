"""What runs the model, as a user meets it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.doctor import examine
from flows.settings import load_settings
from flows.wiring import open_stores
from index.backends.backend import Backend, parts_of
from index.backends.exporting import NotExportable
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.proof

PAGE = "# Leave\n\nLeave accrues every month.\n"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


class Machine:
    """What the machine can do, and whether the model can be exported."""

    fast_int8 = True
    gpu = False
    refusal = ""

    def export(self, folder: Path, weights: str, home: Path) -> Path:
        if self.refusal:
            raise NotExportable(self.refusal)
        return home


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setenv("HEADWATER_INDEX__BACKEND", "auto")
    monkeypatch.setattr("flows.models.has_fast_int8", lambda: made.fast_int8)
    monkeypatch.setattr("flows.models.sees_gpu", lambda: made.gpu)
    monkeypatch.setattr("flows.models.ensure_exported", made.export)
    monkeypatch.setattr("flows.models.why_refused", lambda weights, home: made.refusal or None)
    return made


def backends(state: Path) -> dict[str, Backend]:
    """Of the generations that are kept up to date, by state; each is run as it was made."""
    with open_stores(load_settings(state_dir=state)) as index:
        for target in index.targets:
            assert target.embedder.files.revision == target.generation.revision
            assert isinstance(target.embedder, FakeEmbedder)
        return {t.generation.state: t.embedder.files.backend for t in index.targets}


def build(state: Path, backend: str) -> dict[str, Any]:
    result = call("generation", "build", "--backend", backend, "--state", state, "--json")
    assert result.exit_code == 0, result.output
    built: dict[str, Any] = json.loads(result.stdout)
    return built


@pytest.mark.parametrize(
    ("fast_int8", "gpu", "backend"),
    [
        (True, False, Backend.ONNX_INT8),
        (False, False, Backend.TORCH_FP32),
        (True, True, Backend.TORCH_FP16),
    ],
)
def test_a_new_index_is_made_with_what_is_fastest(
    ingest, folder, state, machine, fast_int8, gpu, backend
):
    machine.fast_int8, machine.gpu = fast_int8, gpu
    (folder / "leave.md").write_text(PAGE)
    assert ingest()["notes"] == []
    assert backends(state) == {"live": backend}
    assert call("search", "leave", "--state", state).exit_code == 0


def test_an_index_made_with_torch_stays_so_and_embeds_nothing_again(
    ingest, folder, state, machine, monkeypatch
):
    (folder / "leave.md").write_text(PAGE)
    monkeypatch.setenv("HEADWATER_INDEX__BACKEND", "torch")
    ingest()
    monkeypatch.setenv("HEADWATER_INDEX__BACKEND", "auto")
    report = ingest()
    assert (report["notes"], report["chunks"]["embedded"]) == ([], 0)
    assert backends(state) == {"live": Backend.TORCH_FP32}


def test_another_backend_is_built_beside_with_embeddings_of_its_own(ingest, folder, state, machine):
    (folder / "leave.md").write_text(PAGE)
    ingest()
    built = build(state, "torch")
    assert built["embedded"] == built["chunks"] == 1, "no vector of the other is taken for it"
    assert backends(state) == {"live": Backend.ONNX_INT8, "ready": Backend.TORCH_FP32}
    (folder / "pay.md").write_text("# Pay\n\nPay comes at the end of the month.\n")
    assert ingest()["chunks"]["embedded"] == 2, "one for each"
    assert call("generation", "promote", built["generation"], "--state", state).exit_code == 0
    assert backends(state) == {"live": Backend.TORCH_FP32, "kept": Backend.ONNX_INT8}


def test_settings_that_name_another_backend_than_the_live_one_are_noted(
    ingest, folder, state, machine, monkeypatch
):
    (folder / "leave.md").write_text(PAGE)
    ingest()
    monkeypatch.setenv("HEADWATER_INDEX__BACKEND", "torch")
    (note,) = ingest()["notes"]
    assert "another generation" in note
    assert backends(state) == {"live": Backend.ONNX_INT8}


def test_a_model_that_cannot_be_exported_is_run_by_torch_and_why_is_told(
    ingest, folder, state, machine
):
    machine.refusal = "only the mean of tokens is exported"
    (folder / "leave.md").write_text(PAGE)
    report = ingest()
    assert report["documents"]["indexed"] == 1
    (note,) = report["notes"]
    assert machine.refusal in note
    assert backends(state) == {"live": Backend.TORCH_FP32}
    told = {one.check: one.detail for one in examine(load_settings(state_dir=state))}
    assert machine.refusal in told["model"]


def test_an_index_of_another_version_is_refused_in_words(ingest, folder, state, machine):
    import sqlalchemy as sa

    from flows.wiring import open_catalog
    from index.catalog.tables import generation

    (folder / "leave.md").write_text(PAGE)
    ingest()
    with open_catalog(load_settings(state_dir=state)) as catalog, catalog.writing() as connection:
        connection.execute(sa.update(generation).values(revision="a" * 16 + "+onnx-int4"))
    result = call("search", "leave", "--state", state)
    assert result.exit_code == 2
    assert "does not know" in result.output + result.stderr
    with pytest.raises(ValueError, match="int4"):
        parts_of("a" * 16 + "+onnx-int4")


def test_a_backend_that_there_is_not_is_refused(state, monkeypatch):
    monkeypatch.setenv("HEADWATER_INDEX__BACKEND", "gpu")
    result = call("status", "--state", state)
    assert result.exit_code == 2
    assert "backend" in result.output + result.stderr
