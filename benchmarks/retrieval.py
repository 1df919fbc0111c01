"""How well what was asked for is found.

    python benchmarks/retrieval.py documents FOLDER   # docs/ and queries.jsonl: relevant documents
    python benchmarks/retrieval.py spans FOLDER       # docs/ and queries.jsonl: relevant spans
    ... --backends torch onnx                         # one after the other, in fresh indexes

`documents` ingests FOLDER/docs, asks the answerable questions of FOLDER/queries.jsonl, and prints
recall@5 and MRR@10 by document, beside the same model over the same documents cut into 200-word
pieces, with and without their first line, which is the title. `spans` prints how much of the
relevant characters five chunks hold, how much of what they hold is relevant, and how early the
first chunk comes that holds any.

A line of queries.jsonl has `question`, `relevant_doc_ids` (file names without suffix) and, for
`spans`, `doc_id` and `spans` with `start` and `end`, 0-based characters of the file.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.orchestration.runtime import prefect_server
from flows.settings import Settings, load_settings
from flows.wiring import open_stores
from index.backends.transformer import load_transformer
from index.catalog.documents import page_of_versions
from index.publishing import Index
from index.search import Result, search

_WORDS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["documents", "spans"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backends", nargs="+", default=["auto"], metavar="BACKEND")
    arguments = parser.parse_args()
    lines = (arguments.folder / "queries.jsonl").read_text("utf-8").splitlines()
    queries = [json.loads(line) for line in lines]
    with tempfile.TemporaryDirectory() as home, prefect_server(Path(home)):
        for backend in arguments.backends:
            os.environ["HEADWATER_INDEX__BACKEND"] = backend
            _measure(arguments, queries)


def _measure(arguments: argparse.Namespace, queries: Sequence[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as state:
        settings = _ingested(arguments.folder / "docs", Path(state))
        with open_stores(settings) as index:
            print(f"run by {index.embedder.files.backend}")
            if arguments.kind == "documents":
                answerable = [query for query in queries if query.get("answerable", True)]
                _documents(index, arguments.folder / "docs", answerable)
            else:
                _spans(index, arguments.folder / "docs", queries)


def _ingested(folder: Path, state: Path) -> Settings:
    from flows.ingest import ingest

    report = ingest(str(folder), state=str(state))
    print(f"documents {report['documents']}, chunks {report['chunks']['made']}")
    return load_settings(state_dir=state)


def _documents(index: Index, folder: Path, queries: Sequence[dict[str, Any]]) -> None:
    rankings = []
    for query in queries:
        found = search(index, query["question"], 50)
        rankings.append([Path(result.provenance.uri).stem for result in found])
    _print_ranking("headwater", rankings, queries)
    _print_ranking("headwater, five chunks only", [ranking[:5] for ranking in rankings], queries)
    for title in (False, True):
        name = f"{_WORDS}-word pieces{' with title line' if title else ''}"
        rankings = _pieces_ranking(index, folder, queries, title=title)
        _print_ranking(name, rankings, queries)


def _pieces_ranking(
    index: Index, folder: Path, queries: Sequence[dict[str, Any]], *, title: bool
) -> list[list[str]]:
    owners, pieces = [], []
    for file in sorted(folder.iterdir()):
        text = file.read_text("utf-8")
        words = (text if title else text.partition("\n")[2]).split()
        for start in range(0, len(words), _WORDS):
            owners.append(file.stem)
            pieces.append(" ".join(words[start : start + _WORDS]))
    model = load_transformer(index.embedder.files.folder)
    vectors: NDArray[np.float32] = model.encode(pieces, normalize_embeddings=True)
    questions = model.encode([q["question"] for q in queries], normalize_embeddings=True)
    order = np.argsort(-(questions @ vectors.T), axis=1)[:, :50]
    return [[owners[i] for i in row] for row in order]


def _print_ranking(
    name: str, rankings: Sequence[Sequence[str]], queries: Sequence[dict[str, Any]]
) -> None:
    n_hits, reciprocal = 0, 0.0
    for ranking, query in zip(rankings, queries, strict=True):
        documents = list(dict.fromkeys(ranking))[:10]
        ranks = [documents.index(d) + 1 for d in query["relevant_doc_ids"] if d in documents]
        n_hits += bool(ranks) and min(ranks) <= 5
        reciprocal += 1 / min(ranks) if ranks else 0
    n = len(queries)
    print(f"{name}: recall@5 {n_hits / n:.4f}, MRR@10 {reciprocal / n:.4f}, {n} questions")


def _spans(index: Index, folder: Path, queries: Sequence[dict[str, Any]]) -> None:
    recall, precision, ranks = [], [], []
    shifts = {file.stem: _shift(index, file) for file in folder.iterdir()}
    for query in queries:
        wanted = {
            (query["doc_id"], position)
            for span in query["spans"]
            for position in range(span["start"], span["end"])
        }
        held = [_held(result, shifts) for result in search(index, query["question"], 10)]
        ranks.append(next((rank for rank, one in enumerate(held, 1) if one & wanted), 0))
        given = set[tuple[str, int]]().union(*held[:5])
        recall.append(len(wanted & given) / len(wanted))
        precision.append(len(wanted & given) / len(given))
    print(
        f"headwater: recall of spans at 5 {np.mean(recall):.4f}, "
        f"share of retrieved characters that are relevant {np.mean(precision):.4f}, "
        f"recall@5 of any {np.mean([0 < rank <= 5 for rank in ranks]):.4f}, "
        f"MRR@10 {np.mean([1 / rank if rank else 0 for rank in ranks]):.4f}, "
        f"{len(queries)} questions"
    )


def _held(result: Result, shifts: Mapping[str, int]) -> set[tuple[str, int]]:
    """The characters of a chunk: file and position."""
    name = Path(result.provenance.uri).stem
    start = result.placement.char_start + shifts[name]
    end = result.placement.char_end + shifts[name]
    return {(name, position) for position in range(start, end)}


def _shift(index: Index, file: Path) -> int:
    """How many characters of the file stand before the version's text (front matter)."""
    with index.catalog.reading() as connection:
        versions = page_of_versions(connection, "", 10_000)
    (key,) = (one.text_key for one in versions if one.provenance.uri == file.name)
    stored = index.texts.get(key)
    assert stored is not None
    raw = file.read_bytes().decode("utf-8")
    shift = raw.find(stored.text)
    if shift < 0:
        raise SystemExit(f"{file}: the text was normalised, its offsets cannot be compared")
    return shift


if __name__ == "__main__":
    main()
