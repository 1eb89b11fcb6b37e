"""A run that waited for a person: where it stopped, and what was decided since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rota_executor.errors import ApprovalExpiredError

EXPIRED = "Nobody decided on this call in time, so it was not made. Go on without it."
DENIED = "A person denied this call, so it was not made. Go on without it."


@dataclass(frozen=True)
class Decision:
    """What became of one call; `arguments` are those of the person, None leaves the model's as they are."""

    call_id: str
    decision: Literal["approved", "denied", "expired"]
    arguments: Mapping[str, Any] | None = None
    note: str = ""
    tool_name: str = ""
    # What the job wants where nobody decides in time.
    expiry_action: Literal["deny", "fail"] = "deny"

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

    def require_in_time(self) -> None:
        """Before anything more is done of the run.

        Raises:
            ApprovalExpiredError: nobody decided in time on a call whose job wants the run to fail then.

        """
        late = [one for one in self.decisions if (one.decision, one.expiry_action) == ("expired", "fail")]
        if late:
            tools = ", ".join(sorted({repr(one.tool_name) for one in late}))
            raise ApprovalExpiredError(
                f"Nobody decided in time whether {tools} may be called, and the job is to fail then. "
                "Nothing more was done. Run the job now if it is still needed."
            )
