"""What was said and done in an attempt of a run, entry by entry."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Role = Literal["system", "user", "assistant", "tool"]
# Of a call: `denied` by a person, `retried` when the model was told to call again.
CallStatus = Literal["success", "failed", "denied", "interrupted", "retried"]


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was said; `position` counts from 1 within the attempt.

    Time and tokens of a call of the model stand in the first entry of its answer; those of a call of a tool
    in its result, which has the `tool_call_id` of the entry that asked for it.
    """

    position: int = 0
    role: Role
    content: str
    started_at: Annotated[datetime, Meta(tz=True)] | None = None
    duration_ms: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    arguments: dict[str, Any] | None = None
    status: CallStatus | None = None


class ProgressStep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry, or of one that is being said a piece of its text, from character `offset` on."""

    position: int
    entry: Entry | None = None
    offset: int = 0
    text: str = ""
