"""Which library runs a model, in which precision, and which of them suits this machine.

Vectors of one backend are near those of another and not the same, so the backend is part of the
revision that a generation and the embedding cache know a model by.
"""

import platform
from enum import StrEnum
from pathlib import Path
from typing import Final

_CPU_FLAGS: Final = Path("/proc/cpuinfo")
_FAST_INT8: Final = frozenset({"avx512_vnni", "avx_vnni", "asimddp"})
"""What x86 and ARM processors call instructions that multiply and add eight-bit numbers at once."""
_SEPARATOR: Final = "+"


class Backend(StrEnum):
    """A library and the precision of its numbers."""

    TORCH_FP32 = "torch-fp32"
    TORCH_FP16 = "torch-fp16"
    """On a graphics processor."""
    ONNX_INT8 = "onnx-int8.1"
    """The number is that of the rules in `index/backends/exporting.py`."""


def revision_with(weights: str, backend: Backend) -> str:
    """The revision of a model whose weights are run by a backend; torch in fp32 adds nothing."""
    return weights if backend is Backend.TORCH_FP32 else f"{weights}{_SEPARATOR}{backend}"


def parts_of(revision: str) -> tuple[str, Backend]:
    """Weights and backend of a revision.

    Raises:
        ValueError: This version knows no such backend.
    """
    weights, _, backend = revision.partition(_SEPARATOR)
    return weights, Backend(backend or Backend.TORCH_FP32)


def has_fast_int8(cpu_flags: Path = _CPU_FLAGS) -> bool:
    """Whether the processor is faster with eight-bit numbers than with others by design."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return cpu_flags.is_file() and not _FAST_INT8.isdisjoint(cpu_flags.read_text("utf-8").split())
