"""A standing grant as people give it."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, Field

from rota_contracts.grants import Pattern
from rota_gateway.api.fields import Description, Input, Label, plain_json

MAX_DAYS = 366


class ExactArgument(Input):
    """The argument has this value."""

    match: Literal["exact"]
    value: Annotated[Any, AfterValidator(plain_json)] = Field(description="any JSON value")


class AnyArgument(Input):
    """The argument has any value, or is left out."""

    match: Literal["any"]


Arguments = Annotated[
    dict[Label, Annotated[ExactArgument | AnyArgument, Field(discriminator="match")]],
    Field(max_length=100, description='by name: {"match": "exact", "value": …} or {"match": "any"}'),
]


class Terms(Input):
    """Which calls are allowed, how many of them and until when."""

    arguments: Arguments | None = None
    other_arguments: Literal["none", "any"] = Field(
        default="none", description="whether a call may have arguments that are not named"
    )
    expires_in_days: int = Field(default=30, ge=1, le=MAX_DAYS, description="then it is over")
    max_uses: int | None = Field(
        default=None, ge=1, le=1_000_000, description="it is for so many calls; without it, for any number"
    )

    def pattern(self) -> Pattern:
        named = {name: one.model_dump() for name, one in (self.arguments or {}).items()}
        return msgspec.convert({"arguments": named, "other_arguments": self.other_arguments}, Pattern)


class ApprovalGrant(Terms):
    """Allows further calls like the one that is approved; without `arguments`, with just its arguments."""


class GrantInput(Terms):
    """Allows calls of a tool to the runs of a job, as job, agent and tool are now."""

    job_id: Annotated[UUID, Field(strict=False)]
    tool_name: Label
    arguments: Arguments
    note: Description = ""
