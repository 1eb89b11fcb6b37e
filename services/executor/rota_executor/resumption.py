"""A run that waited for a person: where it stopped, and what was decided since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

EXPIRED = "Nobody decided on this call in time, so it was not made. Go on without it."
DENIED = "A person denied this call, so it was not made. Go on without it."


@dataclass(frozen=True)
class Decision:
    """What became of one call; `arguments` are those of the person, None leaves the model's as they are."""

    call_id: str
    decision: Literal["approved", "denied", "expired"]
    arguments: Mapping[str, Any] | None = None
    note: str = ""

    @property
    def refusal(self) -> str:
        """What the model is told where the call is not made."""
        if self.decision == "expired":
            return EXPIRED
        return f"{DENIED} Their note: {self.note}" if self.note else DENIED


@dataclass(frozen=True)
class Resumption:
    """`checkpoint` is what the agent runtime kept when the run parked."""

    checkpoint: bytes
    decisions: Sequence[Decision]
