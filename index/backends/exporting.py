"""Making the exported form of a model: once for a state directory, checked before it is used.

The weights of its matrices are rounded to eight bits, each column on a scale of its own: on one
scale for a matrix, vectors lie at a cosine of 0.956 to the model's own, on these at 0.994, and at
0.997 with the products that follow an activation left as they are.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from index.backends.backend import Backend

MODEL_FILE: Final = "model.onnx"
_AGREEMENT_FILE: Final = "agreement.json"
_REFUSED_FILE: Final = "refused.json"
_MAX_SECONDS: Final = 900
_LEFT_AFTER_S: Final = 3600
"""What is older and unfinished was left by a process that was killed."""
UNSUITED: Final = 3
"""Exit status of the process that exports: the model is not one that can be."""


class NotExportable(Exception):
    """The model has no exported form that can take its place; the message says why."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near the vectors of the exported form are to those of the model itself."""

    mean_cosine: float
    smallest_cosine: float


def ensure_exported(folder: Path, weights: str, home: Path) -> Path:
    """Export a model unless it has been, safely beside other processes that do.

    Args:
        folder: Of the model.
        weights: What identifies them.
        home: Where exported forms are kept.

    Returns:
        The folder of the exported form.

    Raises:
        NotExportable: It cannot be exported, or what comes of it is not near enough to the model.
    """
    exported = home / f"{weights}-{Backend.ONNX_INT8}"
    if exported.is_dir():
        return exported
    if (known := why_refused(weights, home)) is not None:
        raise NotExportable(known)
    try:
        home.mkdir(parents=True, exist_ok=True)
        _clean(home)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
        try:
            _export(folder, made, _refusal(weights, home))
            made.chmod(0o755)
            _put(made, exported)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise NotExportable(f"{home} cannot be written to ({error.strerror})") from error
    return exported


def agreement_of(exported: Path) -> Agreement:
    """What was found when a model was exported."""
    return Agreement(**json.loads((exported / _AGREEMENT_FILE).read_text("utf-8")))


def keep_agreement(exported: Path, agreement: Agreement) -> None:
    (exported / _AGREEMENT_FILE).write_text(json.dumps(asdict(agreement)), "utf-8")


def why_refused(weights: str, home: Path) -> str | None:
    """Why a model was found unsuited, if the libraries are still those that it was tried with."""
    file = _refusal(weights, home)
    if not file.is_file():
        return None
    refused = json.loads(file.read_text("utf-8"))
    return str(refused["why"]) if refused["tried_with"] == _libraries() else None


def _refusal(weights: str, home: Path) -> Path:
    return home / f"{weights}-{Backend.ONNX_INT8}-{_REFUSED_FILE}"


def _libraries() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "transformers", "onnx", "onnxruntime")}


def _export(folder: Path, made: Path, refusal: Path) -> None:
    """In a process of its own, which imports what this one may never need."""
    command = [sys.executable, "-m", "index.backends.export", str(folder.absolute()), str(made)]
    try:
        ended = subprocess.run(
            command, cwd=made, capture_output=True, timeout=_MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotExportable(f"it took more than {_MAX_SECONDS} s") from error
    if ended.returncode == UNSUITED:
        why = ended.stdout.decode("utf-8", "replace").strip()
        text = json.dumps({"why": why, "tried_with": _libraries()})
        written = made / _REFUSED_FILE
        written.write_text(text, "utf-8")
        written.replace(refusal)
        raise NotExportable(why)
    if ended.returncode:
        last = (ended.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
        raise NotExportable(f"exporting it ended with {ended.returncode}: {last[:200]}")


def _put(made: Path, exported: Path) -> None:
    try:
        made.rename(exported)
    except OSError:
        if not exported.is_dir():  # Another process was first; its files are as good.
            raise


def _clean(home: Path) -> None:
    for left in home.glob(".new-*"):
        if time.time() - left.stat().st_mtime > _LEFT_AFTER_S:
            shutil.rmtree(left, ignore_errors=True)
