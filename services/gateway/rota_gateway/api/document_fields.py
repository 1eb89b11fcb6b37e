"""A context as a document: what `apply` takes and `export` gives."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from rota_gateway.api.agent_fields import AgentInput
from rota_gateway.api.answers import Answer
from rota_gateway.api.budget_fields import BudgetTerms
from rota_gateway.api.calendars import Dates
from rota_gateway.api.contexts import ContextSettings
from rota_gateway.api.fields import Input, Label, plain_amount
from rota_gateway.api.job_fields import JobInput
from rota_gateway.api.mcp_servers import SERVER_NAME, ServerInput
from rota_gateway.domain.applying import Kind, budget_name

MAX_OF_KIND = 1_000
# Of the lists of a document, what each holds.
KINDS: Mapping[str, Kind] = {
    "calendars": "calendar",
    "mcp_servers": "mcp_server",
    "agents": "agent",
    "jobs": "job",
    "budgets": "budget",
}


class NamedCalendar(Input):
    name: Label
    dates: Dates


class NamedServer(ServerInput):
    name: Annotated[str, Field(min_length=1, max_length=30, pattern=SERVER_NAME)]


class NamedBudget(BudgetTerms):
    """Of the context; of one of its agents or jobs, where one is named."""

    job_name: Label | None = None

    @property
    def name(self) -> str:
        return budget_name(self.period, self.job_name, self.agent_name)


class Document(Input):
    settings: ContextSettings | None = Field(
        default=None, description="of the context itself; what is left out here stays as it is"
    )
    calendars: Annotated[list[NamedCalendar], Field(max_length=MAX_OF_KIND)] = Field(default=[])
    mcp_servers: Annotated[list[NamedServer], Field(max_length=MAX_OF_KIND)] = Field(default=[])
    agents: Annotated[list[AgentInput], Field(max_length=MAX_OF_KIND)] = Field(default=[])
    jobs: Annotated[list[JobInput], Field(max_length=MAX_OF_KIND)] = Field(default=[])
    budgets: Annotated[list[NamedBudget], Field(max_length=MAX_OF_KIND)] = Field(default=[])


class Application(Document):
    owner: Label | None = Field(default=None, description="a label for all that the document has")
    prune: bool = Field(default=False, description="delete what has this owner and is not in the document")
    dry_run: bool = Field(default=False, description="only tell what would change; everything is checked")


class FieldTold(Answer):
    field: str
    old: Any
    new: Any


class ChangeTold(Answer):
    kind: Kind
    name: str = Field(description="of a budget its period, and whose it is")
    action: Literal["create", "update", "delete"]
    fields: list[FieldTold]


class Applied(Answer):
    changes: list[ChangeTold]
    unchanged: int
    is_applied: bool


def as_documented(budget: Mapping[str, Any]) -> dict[str, Any]:
    """A stored budget with its amount as documents have it."""
    amount = budget["cost_limit"]
    return {**budget, "cost_limit": None if amount is None else plain_amount(amount)}
