"""Traces, as a collector on loopback receives them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service

pytestmark = pytest.mark.proof


class Collector(service.TraceServiceServicer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.sent = b""

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.sent += request.SerializeToString()
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return messages.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    kept, server = Collector(), grpc.server(ThreadPoolExecutor(2))
    service.add_TraceServiceServicer_to_server(kept, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield kept, f"http://127.0.0.1:{port}"
    server.stop(0)


def test_a_run_is_a_trace_of_its_batches_and_stages(ingest, folder, collector, monkeypatch):
    kept, endpoint = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    for number in range(40):
        (folder / f"xylographer{number}.md").write_text(f"# Leave\n\nQuillwort {number}.\n")
    report = ingest()
    by_id = {span.span_id: span for span in kept.spans}
    (root,) = [span for span in kept.spans if not span.parent_span_id]
    assert root.name == "ingest"
    told = {one.key: one.value.string_value for one in root.attributes}
    assert told == {"headwater.source": "docs", "headwater.run_id": report["run_id"]}
    assert {span.trace_id for span in kept.spans} == {root.trace_id}
    batches = [span for span in kept.spans if span.name == "batch"]
    counts = [one.value.int_value for span in batches for one in span.attributes]
    assert sorted(counts) == [8, 32]
    for span in kept.spans:
        if span.name in ("parse", "validate", "embed"):
            assert by_id[span.parent_span_id].name == "batch"
    assert {"scan", "parse", "validate", "embed", "upsert"} <= {span.name for span in kept.spans}
    assert b"xylographer" not in kept.sent
    assert b"Quillwort" not in kept.sent


def test_without_an_endpoint_nothing_is_traced(ingest, folder, collector, monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    (folder / "leave.md").write_text("# Leave\n\nWords.\n")
    ingest()
    assert collector[0].spans == []


@pytest.mark.filterwarnings("ignore")
def test_a_collector_that_is_away_fails_no_run(ingest, folder, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    (folder / "leave.md").write_text("# Leave\n\nWords.\n")
    began = time.monotonic()
    assert ingest()["state"] == "completed"
    assert time.monotonic() - began < 60
