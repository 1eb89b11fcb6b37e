"""Spans on their way to a collector, without what must not be told.

What was asked and said is redacted before it comes here; errors come as whoever raised them put it, with
their traces: a provider's repeats what it was sent. Imported only where spans are made.
"""

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status

from rota_executor.adapters.failures import without_keys

# Takes out what the run whose spans end here has to hide.
hiding: ContextVar[Callable[[str], str]] = ContextVar("hiding", default=str)


class RedactingProcessor(BatchSpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        super().on_end(redacted(span, hiding.get()))


def way_here(
    said: SpanContext, at: datetime | None, about: Mapping[str, str | int], to: Resource
) -> ReadableSpan:
    """The root of a trace: from when the ticker said that a run is due until an executor begins it.

    The ticker gives it its id, and is spared to send it: nothing is in its way at the instant.
    """
    now = time.time_ns()
    return ReadableSpan(
        name="job.due",
        context=said,
        resource=to,
        attributes=about,
        kind=SpanKind.PRODUCER,
        # By another clock.
        start_time=min(now, int(at.timestamp() * 1e9)) if at else now,
        end_time=now,
        instrumentation_scope=InstrumentationScope(__name__),
    )


def redacted(span: ReadableSpan, hidden: Callable[[str], str]) -> ReadableSpan:
    """The same span without keys and what else is hidden."""

    def told(text: str) -> str:
        return without_keys(hidden(text))

    def values(found: Mapping[str, Any] | None) -> dict[str, Any]:
        return {
            name: told(value) if isinstance(value, str) else value for name, value in (found or {}).items()
        }

    status = span.status
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=values(span.attributes),
        events=[Event(event.name, values(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(status.status_code, told(status.description)) if status.description else status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
