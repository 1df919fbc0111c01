"""Ways to run a model: what is exported, what is refused, and that no two are mixed."""

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.backends.backend import Backend, has_fast_int8, parts_of, revision_with
from index.backends.batching import batches_by_tokens, padding_share
from index.backends.exporting import (
    NotExportable,
    agreement_of,
    ensure_exported,
    keep_agreement,
    why_refused,
)
from index.embedding import DEFAULT_MODEL, Embedder, ModelUnusable, TextTooLong, find_model
from index.identity import embedding_key, generation_id
from tests.conftest import ROOT

TEXTS = [
    "How do I book travel?",
    "Leave accrues every month, and what is left of it in March is lost. " * 8,
    "| North | 1,204.50 |",
    *(f"Note {n}: the meter in room {n} was read." for n in range(90)),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Where the default model's exported form is."""
    made: Path = tmp_path_factory.mktemp("models")
    model = find_model(DEFAULT_MODEL)
    ensure_exported(model.folder, model.weights, made)
    return made


@pytest.fixture(scope="module")
def quantized(home) -> Embedder:
    return Embedder(find_model(DEFAULT_MODEL).run_by(Backend.ONNX_INT8, home))


def copy_of_model(folder: Path) -> Path:
    original = find_model(DEFAULT_MODEL).folder
    for file in original.rglob("*"):
        if file.is_file():
            target = folder / file.relative_to(original)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(file)
    return folder


def rewrite(file: Path, **changes: object) -> None:
    held = json.loads(file.read_text("utf-8"))
    file.unlink()
    file.write_text(json.dumps({**held, **changes}))


def test_an_exported_form_is_whole_and_near_the_model(home):
    (form,) = home.iterdir()
    assert {one.name for one in form.iterdir()} == {"model.onnx", "agreement.json"}
    assert agreement_of(form).mean_cosine > 0.993


def test_many_that_export_at_once_leave_one_whole_form(tmp_path, monkeypatch):
    together = threading.Barrier(4)

    def export(folder: Path, made: Path, refusal: Path) -> None:
        for name in ("model.onnx", "agreement.json"):
            (made / name).write_text("made")
        together.wait()

    monkeypatch.setattr("index.backends.exporting._export", export)
    with ThreadPoolExecutor(4) as some:
        forms = list(
            some.map(lambda _: ensure_exported(Path("m"), "w", tmp_path / "home"), range(4))
        )
    assert set(forms) == set((tmp_path / "home").iterdir())
    assert len(list(forms[0].iterdir())) == 2


def test_what_killed_processes_left_unfinished_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("index.backends.exporting._export", lambda *given: None)
    old, new = tmp_path / ".new-old", tmp_path / ".new-recent"
    for one in (old, new):
        one.mkdir()
    os.utime(old, (0, 0))
    ensure_exported(Path("m"), "w", tmp_path)
    assert (old.exists(), new.exists()) == (False, True)


def test_vectors_in_eight_bits_are_near_the_models_own_in_order_and_of_unit_length(quantized):
    vectors = quantized.embed(TEXTS)
    wanted = Embedder(find_model(DEFAULT_MODEL)).embed(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), 384), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = vectors @ wanted.T
    assert cosines.diagonal().min() > 0.98
    assert (cosines.argmax(axis=1)[:3] == range(3)).all()


def test_a_vector_in_eight_bits_depends_on_its_text_alone(quantized):
    together = quantized.embed(TEXTS)
    alone = np.concatenate([quantized.embed([text]) for text in TEXTS[:5]])
    assert np.array_equal(together[:5], alone)
    assert np.array_equal(quantized.embed_question(TEXTS[0]), together[0])


def test_a_question_in_eight_bits_is_cut_and_a_text_is_not(quantized):
    long = "the leave of the staff " * 200
    assert quantized.embed_question(long).shape == (384,)
    with pytest.raises(TextTooLong):
        quantized.embed([long])


def test_a_search_in_eight_bits_imports_no_torch(home):
    code = (
        "import sys; from pathlib import Path; from index.embedding import *; "
        "from index.backends.backend import Backend; "
        f"files = find_model(DEFAULT_MODEL).run_by(Backend.ONNX_INT8, Path({str(home)!r})); "
        "Embedder(files).embed_question('leave'); print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_onnx_runtime_leaves_nothing_behind_for_its_makers(home, tmp_path):
    code = f"""if True:
        from pathlib import Path
        from index.backends.backend import Backend
        from index.embedding import DEFAULT_MODEL, Embedder, find_model
        model = find_model(DEFAULT_MODEL).run_by(Backend.ONNX_INT8, Path({str(home)!r}))
        Embedder(model).embed(["words"])
    """
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_an_exported_form_is_made_once(home):
    model = find_model(DEFAULT_MODEL)
    (form,) = home.iterdir()
    made_at = (form / "model.onnx").stat().st_mtime_ns
    assert ensure_exported(model.folder, model.weights, home) == form
    assert (form / "model.onnx").stat().st_mtime_ns == made_at


@pytest.mark.parametrize(
    ("file", "changes", "why"),
    [
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True}, "only the mean"),
        ("config_sentence_transformers.json", {"prompts": {"query": "query: "}}, "wants words"),
    ],
)
def test_a_model_that_is_otherwise_is_refused_and_why_is_kept(tmp_path, file, changes, why):
    folder, home = copy_of_model(tmp_path / "model"), tmp_path / "models"
    rewrite(folder / file, **changes)
    with pytest.raises(NotExportable, match=why):
        ensure_exported(folder, "w" * 16, home)
    assert why in str(why_refused("w" * 16, home))
    assert [one.name for one in home.iterdir()] == [f"{'w' * 16}-onnx-int8.1-refused.json"]


def test_a_model_that_was_refused_is_tried_again_with_other_libraries(tmp_path):
    file = tmp_path / f"{'w' * 16}-onnx-int8.1-refused.json"
    file.write_text(json.dumps({"why": "too far", "tried_with": {"torch": "1.0"}}))
    assert why_refused("w" * 16, tmp_path) is None


def test_a_model_whose_export_fails_is_not_held_to_be_unsuited(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    with pytest.raises(NotExportable, match="ended with 1"):
        ensure_exported(tmp_path, "w" * 16, tmp_path / "models")
    assert why_refused("w" * 16, tmp_path / "models") is None
    assert not list((tmp_path / "models").iterdir())


def test_an_index_in_eight_bits_is_never_filled_by_torch_instead(tmp_path):
    folder = copy_of_model(tmp_path / "model")
    (folder / "modules.json").unlink()
    model = find_model(str(folder)).run_by(Backend.ONNX_INT8, tmp_path / "models")
    with pytest.raises(ModelUnusable, match="generation build --backend torch"):
        Embedder(model).embed(["leave"])


def test_a_model_in_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "models").write_text("a file")
    model = find_model(DEFAULT_MODEL)
    with pytest.raises(NotExportable, match="cannot be written"):
        ensure_exported(model.folder, model.weights, tmp_path / "models")


def test_backends_share_neither_generation_nor_cached_embeddings():
    revisions = [revision_with("a" * 16, backend) for backend in Backend]
    assert revisions[0] == "a" * 16, "what was made before there were others is torch in fp32"
    assert [parts_of(one) for one in revisions] == [("a" * 16, backend) for backend in Backend]
    assert len({generation_id("m", one, "c") for one in revisions}) == len(Backend)
    assert len({embedding_key("m", one, "text") for one in revisions}) == len(Backend)


def test_a_backend_of_another_version_is_not_taken_for_torch():
    with pytest.raises(ValueError, match="onnx-int4"):
        parts_of("a" * 16 + "+onnx-int4")


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        ("flags : fpu avx2 avx512_vnni sse", True),
        ("flags : fpu avx_vnni", True),
        ("Features : fp asimd asimddp", True),
        ("flags : fpu avx2 avx512f", False),
        ("", False),
    ],
)
def test_processors_with_fast_eight_bit_numbers_are_known(tmp_path, monkeypatch, flags, fast):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    (tmp_path / "cpuinfo").write_text(flags)
    assert has_fast_int8(tmp_path / "cpuinfo") is fast
    assert not has_fast_int8(tmp_path / "nothing")


@given(st.lists(st.integers(2, 300), max_size=200), st.integers(256, 4096))
def test_batches_hold_every_text_once_and_no_more_tokens_than_they_may(sizes, budget):
    batches = list(batches_by_tokens(sizes, budget))
    assert sorted(place for batch in batches for place in batch) == list(range(len(sizes)))
    for batch in batches:
        read = len(batch) * max(sizes[place] for place in batch)
        assert read <= budget or len(batch) == 1


def test_little_of_what_a_model_reads_is_padding():
    sizes = [20 + (n * 7919) % 140 for n in range(600)]
    assert padding_share(sizes, 1024) < 0.05
    assert padding_share([], 1024) == 0


def test_what_was_found_when_exporting_is_read_again(tmp_path):
    from index.backends.exporting import Agreement

    keep_agreement(tmp_path, Agreement(0.99, 0.98))
    assert agreement_of(tmp_path) == Agreement(0.99, 0.98)
