"""The style `conversation`: one exchange about the prompt, in which the model may call tools."""

from typing import NamedTuple

from pydantic_ai import Agent as Runner
from pydantic_ai import (
    DeferredToolRequests,
    DeferredToolResults,
    ModelRetry,
    RunContext,
    capture_run_messages,
)
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import (
    FilePart,
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)

from rota_contracts.values import ContentBlock, PendingAction
from rota_executor.adapters import checkpoint, continuing
from rota_executor.adapters.driving import Driver
from rota_executor.adapters.reporting import reported
from rota_executor.adapters.session import Session
from rota_executor.adapters.transcript import Measured, turns
from rota_executor.domain import Content, Outcome, Record, clean
from rota_executor.errors import ModelFailedError
from rota_executor.facts import invented_numbers, report

Output = str | DeferredToolRequests
TRIES_FOR_TOOLS = 3
TRIES_FOR_OUTPUT = 2


async def converse(session: Session) -> Outcome:
    """Asks the model once, tools and all.

    Raises:
        ModelFailedError: the answer holds numbers from nowhere, also when asked again.
        Exception: whatever the model, its provider or the runtime raise.

    """
    grounding = _Grounding(session)
    runner: Runner[None, Output] = Runner(
        session.model,
        deps_type=type(None),
        output_type=[str, DeferredToolRequests],
        instructions=session.agent.system_prompt or None,
        model_settings=session.settings_of,
        toolsets=[toolset.filtered(session.is_offered) for toolset in session.toolsets],
        capabilities=list(session.capabilities),
        retries={"tools": TRIES_FOR_TOOLS, "output": TRIES_FOR_OUTPUT},
        name=session.agent.name,
    )
    if session.agent.grounding == "numbers":
        runner.output_validator(grounding.check)
    begin = _beginning(session)
    transcript = session.record.transcript
    driver = Driver(session.model, transcript, begin.measured, skip=begin.skip)
    driver.catch_up(begin.history)
    transcript.resumed = len(transcript.entries) if begin.answers else 0
    with capture_run_messages() as messages:
        try:
            async with runner.iter(
                begin.prompt,
                message_history=begin.history or None,
                deferred_tool_results=begin.answers,
                usage=session.spent,
                usage_limits=session.limits,
            ) as run:
                await driver.drive(run)
        except UnexpectedModelBehavior as error:
            grounding.raise_invention(error)
            raise
        finally:
            driver.catch_up(messages)
            session.note_usage()
    result = run.result
    assert result is not None  # it was driven to its end
    session.note_model()
    if isinstance(result.output, DeferredToolRequests):
        pending = _pending(result.output, _said_so_far([result.response]))
        calls = [one.tool_call_id for one in pending]
        session.record.checkpoint = checkpoint.keep(
            result.all_messages(),
            calls,
            session.record.usage,
            begin.measured,
            skip=begin.skip,
            examples=begin.examples,
        )
        return Outcome("partial", _said_so_far(messages[len(begin.history) :]), pending)
    session.record.reported = reported(result.all_messages()[begin.skip :])
    _leave(result.all_messages()[begin.examples :], session.record)
    return Outcome("success", _content(result.response, result.output))


class _Beginning(NamedTuple):
    """What the model is handed; the first `skip` messages of the history are examples and of earlier runs."""

    prompt: str | None
    history: list[ModelMessage]
    skip: int
    examples: int
    measured: Measured
    answers: DeferredToolResults | None = None


def _beginning(session: Session) -> _Beginning:
    """A new conversation, or the one that waited for a person."""
    if session.resumption is None:
        examples = turns(session.agent.examples)
        history = [*examples, *_earlier(session.record)]
        prompt = session.record.continuity.before(prompt_with_facts(session))
        return _Beginning(prompt, history, len(history), len(examples), Measured())
    kept = checkpoint.read(session.resumption)
    session.spent = checkpoint.spent(kept)
    session.meter.before = kept.usage
    answers = checkpoint.answers(kept, session.resumption.decisions)
    return _Beginning(None, checkpoint.history_of(kept), kept.skip, kept.examples, kept.measured, answers)


def _earlier(record: Record) -> list[ModelMessage]:
    """The conversation that goes on; begun anew where nobody can read it any more."""
    try:
        return continuing.history(record.continuity.conversation)
    except ValueError:
        record.warnings.append("The conversation of the earlier runs cannot be read; it was begun anew.")
        return []


def _leave(messages: list[ModelMessage], record: Record) -> None:
    """Keeps the conversation for the next run of the job, where that wants to go on with it."""
    if record.continuity.mode == "conversation":
        try:
            record.conversation = continuing.kept(messages, record.continuity.max_chars)
        except ValueError:
            record.warnings.append("The conversation cannot be kept; the next run begins it anew.")


def prompt_with_facts(session: Session) -> str:
    """The prompt, and the facts below it: those that need attention first and marked."""
    if not session.facts:
        return session.prompt
    texts = [fact.text for fact in session.facts]
    return f"{session.prompt}\n\nFacts:\n{report(texts, texts)}".lstrip()


class _Grounding:
    """No number may stand in the answer that neither the prompt nor a fact nor a tool said."""

    def __init__(self, session: Session) -> None:
        self._prompt = session.record.continuity.before(prompt_with_facts(session))
        self._invented: list[str] = []

    async def check(self, context: RunContext[None], output: Output) -> Output:
        if isinstance(output, str):
            self._invented = invented_numbers(output, [self._prompt, *_told(context.messages)])
            if self._invented:
                raise ModelRetry(
                    f"These numbers stand neither in the prompt nor in what a tool said: "
                    f"{', '.join(self._invented)}. Answer again without them, and do not number lines."
                )
        return output

    def raise_invention(self, error: Exception) -> None:
        if self._invented:
            raise ModelFailedError(
                "The answer was discarded: it held numbers that stand neither in the prompt nor in what "
                f"a tool said ({', '.join(self._invented[:10])}), also when the model was asked again."
            ) from error


def _told(messages: list[ModelMessage]) -> list[str]:
    """What the model knows from elsewhere: what it was asked, facts and all, and what tools said."""
    parts = [part for message in messages for part in message.parts]
    return [
        *(part.model_response_str() for part in parts if isinstance(part, ToolReturnPart)),
        *(str(part.content) for part in parts if isinstance(part, UserPromptPart)),
    ]


def _content(response: ModelResponse, output: str) -> Content:
    """Text where there is one part; blocks where the model answered in several."""
    blocks = [
        ContentBlock(type="text", text=part.content)
        if isinstance(part, TextPart)
        else ContentBlock(type="file")
        for part in response.parts
        if isinstance(part, TextPart | FilePart)
    ]
    return blocks if len(blocks) > 1 else output


def _said_so_far(messages: list[ModelMessage]) -> str:
    return "\n\n".join(
        part.content
        for message in messages
        if isinstance(message, ModelResponse)
        for part in message.parts
        if isinstance(part, TextPart) and part.content
    )


def _pending(requests: DeferredToolRequests, reason: str) -> tuple[PendingAction, ...]:
    return tuple(
        PendingAction(
            tool_call_id=call.tool_call_id,
            tool_name=call.tool_name,
            arguments=clean(call.args_as_dict()),
            reason=reason,
        )
        for call in [*requests.approvals, *requests.calls]
    )
