"""The process that reprocesses, with a model that only counts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

import flows.wiring
from flows.dashboard.retrying import main
from tests.fakes import FakeEmbedder

flows.wiring.Embedder = FakeEmbedder  # type: ignore[misc]
main()
