"""Runs, batches and stages as OpenTelemetry traces, if somebody wants them.

Off unless an endpoint is set. Spans hold names of sources, counts and ids, and no uri.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Final

from flows.settings import Settings

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_TIMEOUT_S: Final = 5
"""For the collector to answer; a run that has ended waits no longer for it."""
_OF_DOCUMENTS: Final = frozenset({"read", "judge", "chunk"})
"""Stages that are gone through once for each document: a span for each would be too many."""

_Start = Callable[..., AbstractContextManager[Any]]

_start: ContextVar[_Start | None] = ContextVar("start_span", default=None)
"""Starts a span of the run that goes on; None if it is not traced."""


@contextmanager
def traced(settings: Settings, name: str, **attributes: str) -> Iterator[None]:
    """Be in the root span of a trace until the end of the block; send all of it then.

    A collector that is away costs a few seconds and is no error of a run's.

    Args:
        settings: With the endpoint, unless the environment names one.
        name: Of the span.
        attributes: What is known of it.
    """
    endpoint = settings.traces.endpoint or next(filter(None, map(os.environ.get, _ENDPOINTS)), None)
    if endpoint is None:
        yield
        return
    provider = _provider(endpoint)
    start: _Start = provider.get_tracer("headwater").start_as_current_span
    token = _start.set(start)
    try:
        with start(name, attributes=_named(attributes), record_exception=False):
            yield
    finally:
        _start.reset(token)
        provider.shutdown()


def span(name: str, **attributes: str | int) -> AbstractContextManager[object]:
    """Be in a span of the trace that goes on, if one does."""
    start = _start.get()
    if start is None:
        return nullcontext()
    # What an exception says may hold words of a document.
    return start(name, attributes=_named(attributes), record_exception=False)


def stage_span(name: str) -> AbstractContextManager[object]:
    """As `span`, for a stage of a run."""
    return nullcontext() if name in _OF_DOCUMENTS else span(name)


def _named(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    return {f"headwater.{name}": value for name, value in attributes.items()}


def _provider(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "headwater")})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    secure = endpoint.startswith("https://")
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not secure, timeout=_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
