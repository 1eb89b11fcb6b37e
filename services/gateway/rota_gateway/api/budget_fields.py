"""A budget as people define it. What must fit together is in domain.budgets."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from rota_gateway.api.agent_fields import Model
from rota_gateway.api.fields import Dollars, Input, Label, Patch

Tokens = Annotated[int, Field(ge=1, le=10**15, description="input and output together")]
Money = Annotated[Dollars, Field(description="US dollars")]
Policy = Annotated[
    Literal["stop", "pause", "fallback"],
    Field(
        description="once it is used up: stop ends runs as they reach it, pause also pauses the jobs that it "
        "concerns, fallback lets them go on with fallback_model"
    ),
]


class BudgetTerms(Input):
    agent_name: Label | None = None
    period: Literal["day", "month"] = Field(description="of UTC")
    tokens_limit: Tokens | None = None
    cost_limit: Money | None = None
    policy: Policy = "stop"
    fallback_model: Model | None = Field(default=None, description="of policy fallback: a cheaper one")


class BudgetInput(BudgetTerms):
    """Of the context; of one of its agents or jobs, where one is named."""

    job_id: Annotated[UUID, Field(strict=False)] | None = None


class BudgetPatch(Patch):
    """What changes; null takes a limit away. Whose it is, and its period, stay."""

    tokens_limit: Tokens | None = None
    cost_limit: Money | None = None
    policy: Policy = "stop"
    fallback_model: Model | None = None
