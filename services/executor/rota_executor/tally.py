"""Keeps what attempts have spent while they go on: their outcomes say it, unless there never is one."""

from collections.abc import Sequence

import msgspec

from rota_executor.attempt import Attempt
from rota_executor.domain import clean
from rota_executor.leases import Leases
from rota_executor.repository.spent import SpentRepository

# What calls of the last moments took is not known of an executor that is killed.
KEEP_SECONDS = 1.0


class Tally:
    def __init__(self, repository: SpentRepository, leases: Leases) -> None:
        self._repository = repository
        self._leases = leases

    async def keep(self) -> int:
        """Writes down what is new of all attempts; of how many."""
        return await self.keep_of(self._leases.held())

    async def keep_of(self, attempts: Sequence[Attempt]) -> int:
        """What is new of these."""
        new = [one for one in attempts if one.completed is None and one.record.model_usage != one.kept_usage]
        for executor in {one.lease.executor for one in new}:
            of_lease = [one for one in new if one.lease.executor == executor]
            # A new list with each call, so that these stay what they are while they are written.
            usages = {one.key: one.record.model_usage for one in of_lease}
            await self._repository.keep(executor, {one.key: _document(one) for one in of_lease})
            for one in of_lease:
                one.kept_usage = usages[one.key]
        return len(new)


def _document(attempt: Attempt) -> str:
    job = attempt.event.job
    said = {"job_name": job.name, "agent_name": job.agent_name, "models": attempt.record.model_usage}
    return msgspec.json.encode(clean(msgspec.to_builtins(said))).decode()
