"""Models by name: `local:…`, `anthropic:…`, `openai:…`, whatever a plug-in or the agent runtime knows.

The client library of a provider is imported when a model of it is first used.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.fallback import FallbackModel

from rota_executor.adapters.failures import unusable_model
from rota_executor.adapters.persistent import PersistentModel
from rota_executor.adapters.registry import Registry
from rota_executor.errors import BlockedRunError, RunError
from rota_prices import Price, price_of

Metered = Callable[[str, Model], Model]

SHORT_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class ModelServers:
    """Where models without a public address are served."""

    local_url: str | None = None
    local_key: str | None = None
    openai_url: str | None = None


class Models:
    """Models are kept with their connections; `aclose` closes those."""

    def __init__(self, registry: Registry, servers: ModelServers) -> None:
        self._registry = registry
        self._servers = servers
        self._kept: dict[str, Model] = {}
        self._open = AsyncExitStack()
        self._building = asyncio.Lock()

    def prices(self, names: Iterable[str]) -> dict[str, Price | None]:
        """What models cost: as whoever adds them says, else as the list of prices does."""
        return {name: self._price(name) for name in names}

    async def model(
        self, name: str, fallbacks: Sequence[str] = (), *, metered: Metered = lambda _, model: model
    ) -> tuple[Model, list[str]]:
        """The model of that name, answering through the first of `fallbacks` that works when it fails.

        Each of them is as `metered` makes it, which gets its name.

        Returns:
            The model, and why some of the names are left out.

        Raises:
            RunError: none of the names can be used; says why of the first.

        """
        models, problems = [], []
        for one in (name, *fallbacks):
            try:
                models.append((one, await self._one(one)))
            except RunError as error:
                problems.append(error)
        if not models:
            raise problems[0]
        *before, last = models
        # Who can ask another model does not wait long for one.
        chain = [
            metered(one, PersistentModel(model, patience_seconds=SHORT_PATIENCE_SECONDS))
            for one, model in before
        ]
        usable = [*chain, metered(last[0], PersistentModel(last[1]))]
        left_out = [str(problem) for problem in problems]
        return (FallbackModel(*usable) if before else usable[0]), left_out

    async def aclose(self) -> None:
        self._kept.clear()
        await self._open.aclose()

    async def one(self, name: str) -> Model:
        """That very model, whatever else there is. Raises RunError: it cannot be used; says why."""
        return PersistentModel(await self._one(name))

    def _price(self, name: str) -> Price | None:
        prefix = name.partition(":")[0]
        own = self._registry.model_price(prefix)
        return own if own or self._registry.model_factory(prefix) else price_of(name)

    async def _one(self, name: str) -> Model:
        if name not in self._kept:
            async with self._building:
                if name not in self._kept:
                    # In a thread: the import of a client library takes up to a second.
                    model = await asyncio.to_thread(self._build, name)
                    self._kept[name] = await self._open.enter_async_context(model)
        return self._kept[name]

    def _build(self, name: str) -> Model:
        prefix, _, rest = name.partition(":")
        try:
            if factory := self._registry.model_factory(prefix):
                return factory(rest)
            if prefix == "local":
                return self._local(rest)
            if prefix == "openai" and self._servers.openai_url:
                # Servers that are compatible speak the chat interface, few the newer one.
                return infer_model(f"openai-chat:{rest}")
            return infer_model(name)
        except RunError:
            raise
        except Exception as error:
            raise unusable_model(error, name) from error

    def _local(self, name: str) -> Model:
        if not self._servers.local_url:
            raise BlockedRunError(
                f"The model 'local:{name}' cannot be used: the executor knows no local model server. "
                "Start Rota with one (--model local), set EXECUTOR_LOCAL_MODEL_URL, "
                "or name another model in the agent.",
                cause="server of local models",
            )
        from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415  slow, often not needed
        from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415  as above

        provider = OpenAIProvider(
            base_url=self._servers.local_url, api_key=self._servers.local_key or "no-key-set"
        )
        from rota_executor.adapters.grammar import WithoutLongTexts  # noqa: PLC0415  as above

        return OpenAIChatModel(name, provider=provider, profile={"json_schema_transformer": WithoutLongTexts})
