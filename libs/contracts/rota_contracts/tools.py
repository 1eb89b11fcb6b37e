"""What is said of a tool: by whoever has it, to whoever links or calls it."""

from typing import Any, Literal

from msgspec import Struct

Effect = Literal["read", "write"]
Policy = Literal["auto", "ask", "deny"]


class ToolDescription(Struct, frozen=True, kw_only=True):
    """A tool for models and people; it takes arguments by name and returns text, one fact per line.

    The annotations are those of the Model Context Protocol: `effect` read is its readOnlyHint, `idempotent`
    its idempotentHint (a second call with the same arguments changes nothing more), `open_world` its
    openWorldHint (it deals with what lies outside, whose words are never to be trusted).
    """

    name: str
    description: str
    effect: Effect
    # The JSON Schema of the arguments.
    parameters: dict[str, Any]
    idempotent: bool = False
    open_world: bool = False
    # What it changes is kept only with the outcome of the run: there is nothing to repeat by mistake.
    transactional: bool = False
    # How long one call may take; none: as long as the executor allows any.
    timeout_seconds: float | None = None
    # Of a tool that writes and still need not ask: what it changes is the run's own.
    default_policy: Policy | None = None

    @property
    def policy(self) -> Policy:
        """Where an agent's link says none: what only reads need not ask."""
        return self.default_policy or ("auto" if self.effect == "read" else "ask")
