"""Spans for OpenTelemetry, where ``OTEL_EXPORTER_OTLP_ENDPOINT`` names a collector and its packages are installed.

Elsewhere ``tracer`` is None, and nothing of OpenTelemetry is imported. Spans never hold a prompt, a reply or a key.
"""

import logging
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from assay.platform import journal

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

logger = logging.getLogger(__name__)

VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
Value = str | int | float | bool

tracer: "Tracer | None" = None


def start(part: Literal["web", "worker"]) -> None:
    """Send the spans of this process from now on, if that is wanted. OpenTelemetry's own variables say how."""
    global tracer
    if not os.environ.get(VARIABLE):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("%s is set, but its packages are missing: pip install -r requirements-team.txt", VARIABLE)
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", "assay")
    provider = TracerProvider(resource=Resource.create({"assay.process": part}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _send_the_rest_at_the_end(provider)
    tracer = provider.get_tracer("assay")


def _send_the_rest_at_the_end(provider: "TracerProvider") -> None:
    """A process that ``multiprocessing`` started, as granian's, does not do what was registered with ``atexit``."""
    if multiprocessing.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, provider.shutdown, exitpriority=1)


def begin(
    name: str,
    attributes: Mapping[str, Value],
    *,
    kind: Literal["INTERNAL", "SERVER", "CLIENT"] = "INTERNAL",
    carried: Mapping[str, str] | None = None,
) -> "Span | None":
    """Return a new span, which its caller ends; None where nobody wants any.

    It is part of the one that the block is ``within``, or of the one in ``carried``, the headers of a request. It says
    whom it is about, as log lines do.
    """
    if tracer is None:
        return None
    from opentelemetry import propagate
    from opentelemetry.trace import SpanKind

    parent = propagate.extract(carried) if carried is not None else None
    facts = {f"assay.{name}": value for name, value in journal.facts().items() if name != "trace_id"}
    return tracer.start_span(name, parent, SpanKind[kind], {**facts, **attributes})


@contextmanager
def within(span: "Span | None") -> Iterator[None]:
    """Have spans that begin in the block be part of this one, and log lines name its trace. Does not end it."""
    if span is None:
        yield
        return
    from opentelemetry.trace import format_trace_id, use_span

    with journal.about(trace_id=format_trace_id(span.get_span_context().trace_id)), use_span(span):
        yield


@contextmanager
def span(name: str) -> Iterator[None]:
    """A span for the block, or for the function that this decorates."""
    began = begin(name, {})
    try:
        with within(began):
            yield
    finally:
        if began is not None:
            began.end()


def carried() -> dict[str, str]:
    """Return what hands the current span on to another process: nothing, where there is none."""
    headers: dict[str, str] = {}
    if tracer is not None:
        from opentelemetry import propagate

        propagate.inject(headers)
    return headers


def adopt(carried: Mapping[str, str]) -> None:
    """Have spans of this thread be part of the one that was carried here, from now on; of none, where there is none."""
    if tracer is not None:
        from opentelemetry import context, propagate

        context.attach(propagate.extract(carried, context=context.Context()))
