"""The process that exports a model: `python -m index.backends.export MODEL_FOLDER FOLDER`.

Leaves the exported form and how well it agrees with the model in FOLDER. A model that is unsuited
is told on standard output, and by the exit status `UNSUITED`.
"""

import json
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from index.backends.batching import batches_by_tokens
from index.backends.exporting import (
    MODEL_FILE,
    UNSUITED,
    Agreement,
    NotExportable,
    keep_agreement,
)
from index.backends.quantized import Quantized
from index.backends.transformer import load_transformer
from index.tokens import TokenCounter

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

MIN_MEAN_COSINE: Final = 0.993
MIN_COSINE: Final = 0.98
"""Of the sample. The default model has 0.996 and 0.993 on it; with 0.99 and 0.979, which rounding
weights to seven bits comes to, it finds two per cent less in long documents.
"""
_READ: Final = ("Transformer", "Pooling", "Normalize")
_OPSET: Final = 17
_WINDOW: Final = 256
"""Tokens of the longest text that is compared where the model does not say what it reads."""
_SENTENCES: Final = (
    "How do I book travel?",
    "Employees who have worked for twelve months may take up to six weeks of unpaid leave.",
    "The invoice is due within 30 days; see https://example.org/terms?id=4711#late-payment.",
    "| Region | Q1 | Q2 | |---| North | 1,204.50 | 987.00 |",
    "def area(radius): return 3.14159 * radius ** 2  # square metres",
    "Der Antrag ist bis zum 31. März schriftlich einzureichen.",
    "The pump must not be started while the valve is closed, for the seal would run dry.",
    "notice period",
    "On 4 May 1904 the works were flooded, and 212 people were brought to safety by boat.",
    "Le contrat prend fin à la date convenue, sauf prolongation écrite.",
    "ERROR 0x80070005: access is denied (user=svc_backup, path=C:\\Data\\Archive)",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
)
_LENGTHS: Final = (1, 2, 4, 8)
"""Sentences that texts of the sample have."""


def main(model: Path, folder: Path) -> None:
    """Export a model and compare.

    Raises:
        NotExportable: It is unsuited.
    """
    _require_suited(model)
    transformer = load_transformer(model)
    exact, rounded = folder / "exact.onnx", folder / MODEL_FILE
    _trace(transformer, exact)
    _round(exact, rounded)
    exact.unlink()
    window = int(transformer.max_seq_length or _WINDOW)
    mean, smallest = _compared(transformer, TokenCounter(model / "tokenizer.json", window), folder)
    keep_agreement(folder, Agreement(mean, smallest))
    if mean < MIN_MEAN_COSINE or smallest < MIN_COSINE:
        raise NotExportable(
            f"in eight bits its vectors are too far from its own: cosine "
            f"{mean:.4f} on average, {smallest:.4f} at least; "
            f"wanted are {MIN_MEAN_COSINE} and {MIN_COSINE}"
        )


def _require_suited(model: Path) -> None:
    modules = model / "modules.json"
    if not modules.is_file():
        raise NotExportable("it has no modules.json, which says what is done with its output")
    kinds = [one["type"].rsplit(".", 1)[-1] for one in json.loads(modules.read_text("utf-8"))]
    if tuple(kinds) not in (_READ, _READ[:2]):
        raise NotExportable(f"only {' and '.join(_READ)} are exported, and it has {kinds}")
    pooling = _read_json(model / "1_Pooling" / "config.json")
    modes = {name for name, on in pooling.items() if name.startswith("pooling_mode") and on is True}
    if modes != {"pooling_mode_mean_tokens"}:
        raise NotExportable(f"only the mean of tokens is exported, and it has {sorted(modes)}")
    prompts = _read_json(model / "config_sentence_transformers.json").get("prompts", {})
    if any(prompts.values()):
        raise NotExportable("it wants words before questions and texts")


def _read_json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text("utf-8")) if file.is_file() else {}


def _trace(transformer: "SentenceTransformer", file: Path) -> None:
    import torch

    class WithPooling(torch.nn.Module):
        """The mean of the tokens' vectors, at unit length."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
            tokens = self.model(input_ids=input_ids, attention_mask=mask)[0]
            weights = mask.unsqueeze(-1).to(tokens.dtype)
            mean = (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=1)

    module: Any = transformer[0]
    model = module.auto_model.to("cpu").float()
    model.set_attn_implementation("eager")
    model.config.return_dict = False
    ids, mask = torch.ones(2, 8, dtype=torch.int64), torch.ones(2, 8, dtype=torch.int64)
    mask[1, 5:] = 0
    of_texts = {0: "texts", 1: "tokens"}
    with torch.no_grad():
        torch.onnx.export(
            WithPooling(model).eval(),
            (ids, mask),
            str(file),
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamic_axes={
                "input_ids": of_texts,
                "attention_mask": of_texts,
                "vectors": {0: "texts"},
            },
            opset_version=_OPSET,
            dynamo=False,
        )


def _round(exact: Path, rounded: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        exact,
        rounded,
        weight_type=QuantType.QInt8,
        per_channel=True,
        nodes_to_exclude=_narrowing(exact),
    )


def _narrowing(exact: Path) -> list[str]:
    """The products that follow an activation; a few of its numbers are far larger than the others,
    which would all be rounded to the same few values.
    """
    import onnx

    graph = onnx.load(exact).graph
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    products = [one for one in graph.node if one.op_type == "MatMul" and one.input[1] in shapes]
    return [one.name for one in products if shapes[one.input[1]][0] > shapes[one.input[1]][1]]


def _compared(
    transformer: "SentenceTransformer", counter: TokenCounter, folder: Path
) -> tuple[float, float]:
    """Mean and smallest cosine over a sample of texts and questions."""
    texts = [one for one in _sample() if len(counter.cut_to_fit(one)) < counter.window]
    quantized = Quantized(folder, counter)
    encoded = counter.encode(texts)
    sizes = [len(one.ids) for one in encoded]
    cosines: list[float] = []
    for batch in batches_by_tokens(sizes, quantized.batch_tokens):
        wanted = transformer.encode_document(
            [texts[i] for i in batch], normalize_embeddings=True, show_progress_bar=False
        )
        made = quantized.embed([encoded[i] for i in batch])
        cosines.extend(np.sum(np.asarray(wanted) * made, axis=1).tolist())
    for question in _SENTENCES:
        asked = transformer.encode_query(question, normalize_embeddings=True)
        cosines.append(float(np.dot(np.asarray(asked), quantized.embed_question(question))))
    return float(np.mean(cosines)), min(cosines)


def _sample() -> Sequence[str]:
    twice = _SENTENCES * 2
    return [
        " ".join(twice[start : start + n]) for n in _LENGTHS for start in range(len(_SENTENCES))
    ]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # Of libraries, to whoever develops them.
    logging.disable(logging.WARNING)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except NotExportable as error:
        print(error)
        raise SystemExit(UNSUITED) from None
