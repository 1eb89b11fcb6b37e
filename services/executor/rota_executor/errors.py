"""Why a run ended without an answer; each message is a sentence for whoever reads the result."""

from rota_chassis.errors import PermanentError, RetryableError, RotaError
from rota_contracts.values import ErrorKind


class RunError(RotaError):
    """The run ends as an error of this kind."""

    kind: ErrorKind
    # What stands in the way, the same for all runs that it blocks.
    cause: str | None = None
    # Seconds before which to try again is of no use; the other side said so.
    retry_after: float | None = None


class AgentNotFoundError(RunError, PermanentError):
    kind = "agent_not_found"


class InvalidConfigurationError(RunError, PermanentError):
    kind = "invalid_configuration"


class BlockedRunError(RunError, PermanentError):
    """A key, an account or a server that it needs is not there: a person must see to it."""

    kind = "blocked"

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class LimitReachedError(RunError, PermanentError):
    """A limit of the run, or a budget, lets it go no further."""

    kind = "limit"


class InterruptedRunError(RunError, PermanentError):
    kind = "interrupted"


class ApprovalExpiredError(RunError, PermanentError):
    kind = "approval_expired"


class CancelledRunError(RunError, PermanentError):
    kind = "cancelled"


class LostRunError(RunError, PermanentError):
    kind = "lost"


class ModelUnavailableError(RunError, RetryableError):
    kind = "model_unavailable"


class ModelFailedError(RunError, RetryableError):
    kind = "model_error"


class ToolError(RunError):
    """A tool did not do what it was asked; `answer` is what the other side said to it, if anything."""

    def __init__(self, message: str, answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


class ToolFailedError(ToolError, RetryableError):
    kind = "tool_error"


class ToolRefusedError(ToolError, PermanentError):
    """It never will, as long as it is asked so."""

    kind = "invalid_configuration"


class RunTimeoutError(RunError, RetryableError):
    kind = "timeout"


class InternalRunError(RunError, RetryableError):
    kind = "internal"


class LeaseLostError(RetryableError):
    """The run may belong to another executor by now; nothing more is done for it here."""
