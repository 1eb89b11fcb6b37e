"""The agents of a batch, loaded fresh together."""

import asyncio
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from uuid import UUID

import msgspec

from rota_chassis import logs
from rota_contracts.events import JobDue
from rota_executor.agent import Agent, parse
from rota_executor.budgets import Budget
from rota_executor.domain import agent_not_found_message
from rota_executor.errors import AgentNotFoundError
from rota_executor.repository import Repository
from rota_store import is_transient

log = logs.logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


class _Around(msgspec.Struct):
    """What comes with the configuration of an agent."""

    budgets: list[Budget] = []


class LoadedAgents:
    def __init__(self, documents: dict[tuple[UUID, str], str], continuing: AbstractSet[UUID]) -> None:
        self._documents = documents
        # The jobs whose runs know of those before them.
        self.continuing = continuing

    def of(self, event: JobDue) -> Agent:
        """The agent that the event's job names.

        Raises:
            AgentNotFoundError: neither its context nor the system has one of that name.
            InvalidConfigurationError: it is there and cannot be understood.

        """
        name = event.job.agent_name
        document = self._document(event)
        if document is None:
            raise AgentNotFoundError(agent_not_found_message(name))
        return parse(document)

    def budgets_of(self, event: JobDue) -> list[Budget]:
        """Those of the context, the agent and the job."""
        found = msgspec.json.decode(self._document(event) or "{}", type=_Around).budgets
        return [budget for budget in found if budget.concerns(event.job_id)]

    def _document(self, event: JobDue) -> str | None:
        return self._documents.get((event.context_id, event.job.agent_name))


async def load(repository: Repository, events: Iterable[JobDue]) -> LoadedAgents:
    """The agents of all events; waits while PostgreSQL is away."""
    asked = list(events)
    wanted = list({(event.context_id, event.job.agent_name) for event in asked})
    job_ids = list({event.job_id for event in asked})
    pause = FIRST_PAUSE
    while True:
        try:
            found = await repository.agents(wanted, job_ids)
            return LoadedAgents(found, await repository.continuing(job_ids))
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("agents cannot be loaded yet", action="agents_wait", error=repr(error))
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
