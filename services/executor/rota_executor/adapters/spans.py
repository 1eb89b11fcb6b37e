"""Spans on their way to a collector, without what must not be told.

What was asked and said is redacted before it comes here; errors come as whoever raised them put it, with
their traces: a provider's repeats what it was sent. Imported only where spans are made.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status

from rota_executor.adapters.failures import without_keys

# Takes out what the run whose spans end here has to hide.
hiding: ContextVar[Callable[[str], str]] = ContextVar("hiding", default=str)


class RedactingProcessor(BatchSpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        super().on_end(redacted(span, hiding.get()))


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
