"""Spans for an OpenTelemetry collector: of a run, of its agent, of each call of a model and a tool.

They belong to the trace that began when the run became due. Without an address nothing of it is imported.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rota_bus import Delivery
from rota_chassis.redaction import Redactor
from rota_contracts.events import JobDue
from rota_executor.domain import ids

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

SERVICE = "rota-executor"
# How long the last spans may take on their way when the process ends.
FLUSH_MILLISECONDS = 3_000


class Tracing:
    """`capabilities` are what the agent runtime is given, so that it makes its spans."""

    def __init__(self, processor: "SpanProcessor | None" = None, *, with_content: bool = False) -> None:
        self._processor = processor
        self.capabilities: Sequence[Any] = ()
        if processor is not None:
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  only who traces needs it
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  as above
            from pydantic_ai.capabilities import Instrumentation  # noqa: PLC0415  as above
            from pydantic_ai.models.instrumented import InstrumentationSettings  # noqa: PLC0415  as above

            self._provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
            self._provider.add_span_processor(processor)
            settings = InstrumentationSettings(tracer_provider=self._provider, include_content=with_content)
            self.capabilities = (Instrumentation(settings=settings),)

    @contextlib.contextmanager
    def of(self, event: JobDue, delivery: Delivery, hidden: Redactor) -> Iterator[None]:
        """The span of an attempt, around all the others of it; an error is told by its type alone.

        `hidden` is in none of them.
        """
        if self._processor is None:
            yield
            return
        from opentelemetry import trace  # noqa: PLC0415  as above
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415  as above
            TraceContextTextMapPropagator,
        )

        from rota_executor.adapters.spans import hiding, way_here  # noqa: PLC0415  as above

        before = hiding.set(hidden)
        parent = TraceContextTextMapPropagator().extract({"traceparent": delivery.traceparent})
        about = {f"rota.{name}": value for name, value in ids(event).items()}
        said = trace.get_current_span(parent).get_span_context()
        if said.is_valid:
            self._processor.on_end(way_here(said, delivery.said_at, about, self._provider.resource))
        try:
            with self._provider.get_tracer(SERVICE).start_as_current_span(
                "run",
                parent,
                trace.SpanKind.CONSUMER,
                {**about, "rota.trigger": event.trigger},
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                try:
                    yield
                except BaseException as error:
                    span.set_status(trace.StatusCode.ERROR)
                    span.set_attribute("error.type", getattr(error, "kind", type(error).__name__))
                    raise
        finally:
            hiding.reset(before)


@contextlib.asynccontextmanager
async def traced(endpoint: str | None, headers: str | None, *, with_content: bool) -> AsyncIterator[Tracing]:
    """Sends spans to `endpoint` while the block runs, and the last of them after; nowhere without one."""
    if endpoint is None:
        yield Tracing()
        return
    processor = await asyncio.to_thread(_sending, endpoint, headers, with_content=with_content)
    try:
        yield Tracing(processor, with_content=with_content)
    finally:
        await asyncio.to_thread(processor.force_flush, FLUSH_MILLISECONDS)
        await asyncio.to_thread(processor.shutdown)


def _sending(endpoint: str, headers: str | None, *, with_content: bool) -> "SpanProcessor":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  as above
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  as above
    from opentelemetry.util.re import parse_env_headers  # noqa: PLC0415  as above

    from rota_executor.adapters.spans import RedactingProcessor  # noqa: PLC0415  as above

    exporter = OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces", headers=parse_env_headers(headers or "", liberal=True)
    )
    # Without content no error says more than its type.
    return (RedactingProcessor if with_content else BatchSpanProcessor)(exporter)
