"""One call of a tool: for whom it is made, and what makes it unlike any other."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True)
class ToolCall:
    """What a tool may know beside its arguments. A third party's tool gets the same."""

    context_id: UUID
    job_id: UUID
    run_id: UUID
    call_id: str
    # What this run noted so far for the next ones of its job; None: forget it. Kept with its outcome.
    notes: dict[str, str | None] = field(default_factory=dict)

    @property
    def idempotency_key(self) -> str:
        """For providers that do a thing once per key, whoever asks again."""
        return f"{self.run_id}/{self.call_id}"
