"""What a parked conversation is kept as, and how it goes on."""

from collections.abc import Sequence

import msgspec
from pydantic_ai import DeferredToolResults, ToolApproved, ToolDenied
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter
from pydantic_ai.usage import RunUsage

from rota_contracts.values import Usage
from rota_executor.adapters.transcript import Measured
from rota_executor.resumption import Decision, Resumption


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """`skip` messages at the beginning were not said in this run, the first of them are examples; `calls` are
    what the run waits for.
    """

    skip: int
    calls: list[str]
    usage: Usage
    messages: msgspec.Raw
    examples: int = 0
    measured: Measured = msgspec.field(default_factory=Measured)


def keep(
    messages: Sequence[ModelMessage],
    calls: Sequence[str],
    usage: Usage,
    measured: Measured,
    *,
    skip: int,
    examples: int,
) -> str:
    """The JSON of a checkpoint."""
    said = msgspec.Raw(ModelMessagesTypeAdapter.dump_json(list(messages)))
    kept = Checkpoint(
        skip=skip, calls=list(calls), usage=usage, messages=said, examples=examples, measured=measured
    )
    return msgspec.json.encode(kept).decode()


def read(resumption: Resumption) -> Checkpoint:
    """Raises msgspec.DecodeError for what `keep` never made."""
    return msgspec.json.decode(resumption.checkpoint, type=Checkpoint)


def history_of(checkpoint: Checkpoint) -> list[ModelMessage]:
    return ModelMessagesTypeAdapter.validate_json(bytes(checkpoint.messages))


def spent(checkpoint: Checkpoint) -> RunUsage:
    """What the run had spent: its limits are for all of it."""
    usage = checkpoint.usage
    return RunUsage(
        requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        tool_calls=usage.tool_calls,
    )


def answers(checkpoint: Checkpoint, decisions: Sequence[Decision]) -> DeferredToolResults:
    """What becomes of each call that the run waits for; what nobody decided upon is not made."""
    by_call = {one.call_id: one for one in decisions}
    return DeferredToolResults(
        approvals={call: _answer(by_call.get(call) or Decision(call, "expired")) for call in checkpoint.calls}
    )


def _answer(decision: Decision) -> ToolApproved | ToolDenied:
    if decision.decision != "approved":
        return ToolDenied(decision.refusal)
    arguments = decision.arguments
    return ToolApproved(override_args=None if arguments is None else dict(arguments))
