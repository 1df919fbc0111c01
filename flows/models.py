"""Which model the settings ask for, and which way of running it suits this machine."""

from dataclasses import dataclass
from pathlib import Path

from flows.settings import Settings
from index.backends.backend import Backend, has_fast_int8, parts_of
from index.backends.exporting import NotExportable, ensure_exported, why_refused
from index.backends.transformer import sees_gpu
from index.embedding import ModelFiles, ModelUnusable, find_model


@dataclass(frozen=True, slots=True)
class Choice:
    """A model with the backend that runs it."""

    model: ModelFiles
    why_not_faster: str = ""
    """Why it is not run in eight bits, if that was to be."""


def choose_model(settings: Settings) -> Choice:
    """The model that a new generation is made with; exports it if its backend needs that.

    Raises:
        ModelUnusable: The model cannot be used.
    """
    model, home = find_model(settings.index.model), models_folder(settings)
    backend = preferred_backend(settings)
    if backend is not Backend.ONNX_INT8:
        return Choice(model.run_by(backend, home))
    try:
        ensure_exported(model.folder, model.weights, home)
    except NotExportable as error:
        return Choice(model, f"{model.name} is run by torch in fp32, for {error}")
    return Choice(model.run_by(backend, home))


def preferred_backend(settings: Settings) -> Backend:
    """The one that the settings name, or that is fastest here."""
    wanted = settings.index.backend
    if wanted == "onnx" or (wanted == "auto" and not sees_gpu() and has_fast_int8()):
        return Backend.ONNX_INT8
    return Backend.TORCH_FP16 if sees_gpu() else Backend.TORCH_FP32


def model_of(settings: Settings, name: str, revision: str) -> ModelFiles:
    """The model of a generation as it is on this machine, run as the generation was made.

    Its weights may be other ones than those that `revision` names.

    Raises:
        ModelUnusable: It is not there, or this version cannot run it so.
    """
    try:
        _, backend = parts_of(revision)
    except ValueError as error:
        raise ModelUnusable(
            f"the index was made in a way that this version does not know: {revision}"
        ) from error
    return find_model(name).run_by(backend, models_folder(settings))


def why_not_faster(settings: Settings) -> str:
    """Why the model is not run in eight bits, if that was tried here, and is still wanted."""
    if preferred_backend(settings) is not Backend.ONNX_INT8:
        return ""
    model = find_model(settings.index.model)
    return why_refused(model.weights, models_folder(settings)) or ""


def models_folder(settings: Settings) -> Path:
    """Where exported forms of models are kept."""
    return settings.state_dir / "models"
