"""Drives the agent runtime step by step, and keeps what is said and done in the transcript as it happens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic_ai import Agent as Runner
from pydantic_ai.messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
)
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.run import AgentRun
from pydantic_graph import End

from rota_executor.adapters.transcript import Measured, Timing, entries, now
from rota_executor.transcript import Transcript


class Driver:
    """Of one run; the first `skip` messages of its history were never said."""

    def __init__(self, model: Model, transcript: Transcript, measured: Measured, *, skip: int) -> None:
        self._streams = can_stream(model)
        self._transcript = transcript
        self._measured = measured
        self._seen = skip
        self._answered = 0
        self._begun: dict[str, datetime] = {}

    def catch_up(self, messages: Sequence[ModelMessage]) -> None:
        """Enters what is new in the messages of the run."""
        new = messages[self._seen :]
        self._seen += len(new)
        self._transcript.add(*entries(new, self._measured, answered=self._answered))
        self._answered += sum(isinstance(message, ModelResponse) for message in new)

    async def drive(self, run: AgentRun[None, Any]) -> None:
        """Runs it to its end."""
        node = run.next_node
        while not isinstance(node, End):
            if Runner.is_model_request_node(node):
                began = now()
                if self._streams:
                    async with node.stream(run.ctx) as stream:
                        self.catch_up(run.all_messages())
                        await self._hear(stream)
                node = await run.next(node)
                self._measured.requests.append(Timing.since(began))
            elif Runner.is_call_tools_node(node):
                async with node.stream(run.ctx) as events:
                    async for event in events:
                        self._time(event)
                node = await run.next(node)
            else:
                node = await run.next(node)
            self.catch_up(run.all_messages())

    async def _hear(self, stream: Any) -> None:
        """Passes on the text of an answer while it is said."""
        first = len(self._transcript.entries)
        numbers: dict[int, int] = {}
        async for event in stream:
            if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart | ToolCallPart):
                number = numbers.setdefault(event.index, first + len(numbers))
                if isinstance(event.part, TextPart) and event.part.content:
                    self._transcript.write(number, event.part.content)
            elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                self._transcript.write(numbers[event.index], event.delta.content_delta)

    def _time(self, event: object) -> None:
        if isinstance(event, FunctionToolCallEvent):
            self._begun[event.part.tool_call_id] = now()
        elif isinstance(event, FunctionToolResultEvent) and event.tool_call_id in self._begun:
            began = self._begun.pop(event.tool_call_id)
            self._measured.tools[event.tool_call_id] = Timing.since(began)


def can_stream(model: Model) -> bool:
    """Whether it, and whatever answers in its place, says an answer piece by piece."""
    if isinstance(model, FallbackModel):
        return all(can_stream(one) for one in model.models)
    if isinstance(model, WrapperModel):
        return can_stream(model.wrapped)
    if isinstance(model, FunctionModel):
        return model.stream_function is not None
    return type(model).request_stream is not Model.request_stream
