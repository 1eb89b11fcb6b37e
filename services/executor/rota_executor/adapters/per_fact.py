"""The style `per_fact`: a model too small to reason puts each fact into words, one exchange each."""

import asyncio

from pydantic_ai import Agent as Runner
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import ModelMessage
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from rota_contracts.transcript import Entry
from rota_executor.adapters.prefetch import Fact
from rota_executor.adapters.session import Session
from rota_executor.adapters.transcript import Timing, entry, now, turns
from rota_executor.domain import Outcome
from rota_executor.errors import InvalidConfigurationError, ToolFailedError
from rota_executor.facts import is_faithful, report

# The embedded model serves two at a time.
CONCURRENT = 2
# Of the tries after the first: another answer is wanted, so chance must play.
RETRY_TEMPERATURES = (0.4, 0.8)


async def write_report(session: Session) -> Outcome:
    """One line per fact; a sentence that does not say its fact is replaced by the fact.

    Raises:
        InvalidConfigurationError: there is no fact to write about.
        ToolFailedError: there are only failures.
        Exception: whatever the model, its provider or the runtime raise.

    """
    facts = session.facts
    if not facts:
        raise InvalidConfigurationError(
            "This agent writes one sentence per fact, but no tool gave it one: "
            "link tools to it that run before the model (mode prefetch)."
        )
    if all(fact.is_failure for fact in facts):
        raise ToolFailedError(
            "There is nothing to report, every tool failed: " + "; ".join(fact.text for fact in facts) + "."
        )
    writer = _Writer(session)
    try:
        sentences = await writer.sentences()
    finally:
        session.note_usage()
    session.note_model()
    if writer.replaced:
        total = sum(not fact.is_failure for fact in facts)
        session.record.warnings.append(f"{writer.replaced} of {total} sentences are the plain facts.")
    return Outcome("success", report([fact.text for fact in facts], sentences))


class _Writer:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._grounded = session.agent.grounding == "numbers"
        self._slots = asyncio.Semaphore(CONCURRENT)
        self._history: list[ModelMessage] = turns(session.agent.examples)
        self._runner: Runner[None, str] = Runner(
            session.model,
            deps_type=type(None),
            instructions=session.agent.system_prompt or None,
            model_settings=session.settings,
            capabilities=list(session.capabilities),
            retries=0,
            name=session.agent.name,
        )
        self.replaced = 0

    async def sentences(self) -> list[str]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._sentence(fact)) for fact in self._session.facts]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        for fact, task in zip(self._session.facts, tasks, strict=True):
            self._session.record.transcript.add(entry("user", fact.text), task.result())
        return [task.result().content for task in tasks]

    async def _sentence(self, fact: Fact) -> Entry:
        if fact.is_failure:
            return entry("assistant", fact.text)
        began, spent = now(), RequestUsage()
        sentence = await self._written(fact, spent)
        return entry(
            "assistant",
            sentence,
            Timing.since(began),
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            model=self._session.model.model_name,
        )

    async def _written(self, fact: Fact, spent: RequestUsage) -> str:
        async with self._slots:
            for temperature in (None, *RETRY_TEMPERATURES):
                sentence = await self._said(fact.text, temperature, spent)
                if is_faithful(sentence, fact.text) if self._grounded else sentence:
                    return " ".join(sentence.split())
        self.replaced += 1
        return fact.text

    async def _said(self, fact: str, temperature: float | None, spent: RequestUsage) -> str:
        try:
            result = await self._runner.run(
                fact,
                message_history=self._history or None,
                model_settings=None if temperature is None else ModelSettings(temperature=temperature),
                usage=self._session.spent,
                usage_limits=self._session.limits,
            )
        except UnexpectedModelBehavior:
            return ""  # an empty or broken answer is no sentence
        spent.incr(result.response.usage)
        return result.output.strip()
