"""A model that asks its provider again when that failed in passing: what would help is only to wait."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from pydantic_ai import RunContext
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelRateLimitError,
    ModelServerError,
    ModelUnavailableError,
)
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from rota_chassis import logs

log = logs.logger(__name__)

TRIES = 4
FIRST_DELAY_SECONDS = 1.0
# Who is told to come back later than this does so as another attempt of the run, or asks another model.
PATIENCE_SECONDS = 60.0
PASSING = (ModelRateLimitError, ModelUnavailableError, ModelServerError, ModelConnectionError)
# Whose answers all say why they end, `openai` being also who is compatible with it; some others never do.
SAYING_THE_END = frozenset({"anthropic", "openai"})
Answer = TypeVar("Answer")


class PersistentModel(WrapperModel):
    def __init__(self, wrapped: Model, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """`patience_seconds`: how long it waits at most for its provider, in all, in one request."""
        super().__init__(wrapped)
        self._patience = patience_seconds
        # The client's own tries are fewer, and would multiply these.
        client: Any = getattr(wrapped, "client", None)
        if hasattr(client, "max_retries"):
            client.max_retries = 0

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        async def asked() -> ModelResponse:
            return await self.wrapped.request(messages, model_settings, model_request_parameters)

        answer = await self._persist(asked)
        self._require_end(answer)
        return answer

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Asks again until an answer begins; one that breaks off has been told of already."""
        async with AsyncExitStack() as stack:

            async def asked() -> StreamedResponse:
                streamed = self.wrapped.request_stream(
                    messages, model_settings, model_request_parameters, run_context
                )
                return await stack.enter_async_context(streamed)

            answer = await self._persist(asked)
            yield answer
            self._require_end(answer.get())

    def _require_end(self, answer: ModelResponse) -> None:
        """What broke off without an error, as a proxy closes a connection, is not the answer.

        It is not asked for again here: people may have read of it, and it may be billed.

        Raises:
            ModelConnectionError: the provider did not say that this is all.

        """
        # Its own words: for those of who says nothing the agent runtime puts an end in `finish_reason`.
        said = answer.provider_details or {}
        if self.wrapped.system in SAYING_THE_END and not said.keys() & {"finish_reason", "refusal"}:
            raise ModelConnectionError(self.model_name, "the answer broke off", phase="read", in_stream=True)

    async def _persist(self, asked: Callable[[], Awaitable[Answer]]) -> Answer:
        left = self._patience
        for number in range(TRIES):
            try:
                return await asked()
            except ModelAPIError as error:
                delay = delay_of(error, number)
                if delay is None or delay > left or number == TRIES - 1:
                    raise
                log.info(
                    "a model is asked again", action="model_repeated", model=self.model_name, delay=delay
                )
            left -= delay
            await asyncio.sleep(delay)
        raise AssertionError  # the last try returns or raises


def delay_of(error: ModelAPIError, number: int) -> float | None:
    """Seconds until the request may be made again, after so many tries before; None: never.

    As long as the provider says; else twice as long each time, and not all at the same instant.
    """
    if not isinstance(error, PASSING):
        return None
    if isinstance(error, ModelHTTPError) and error.provider_retry_hint is False:
        return None
    if error.retry_after is not None:
        return error.retry_after
    delay: float = FIRST_DELAY_SECONDS * 2**number
    return delay * random.uniform(0.75, 1.25)  # noqa: S311  no secret
