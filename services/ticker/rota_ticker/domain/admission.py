"""Which of the waiting runs may go, so that nobody's crowd is everybody's queue."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Candidate:
    """A queued run; of each context there are at most as many as it has room for.

    `agent_room` says how many more runs its agent may have at once, None without a limit.
    """

    run_id: UUID
    scheduled_for: datetime
    job_id: UUID
    context_id: UUID
    priority: int
    effective_at: datetime
    is_exclusive: bool
    agent_name: str
    agent_room: int | None


def admissible(candidates: Sequence[Candidate], at_most: int) -> list[Candidate]:
    """The ones that go, contexts taking turns; within a context by priority, then by age.

    Candidates of a context come in that order. Of an exclusive run no other one of its job goes with it.
    """
    turns: Counter[UUID] = Counter()
    taken_jobs: set[UUID] = set()
    taken_agents: Counter[tuple[UUID, str]] = Counter()
    ranked: list[tuple[int, int, datetime, int]] = []
    for index, one in enumerate(candidates):
        agent = (one.context_id, one.agent_name)
        if one.is_exclusive and one.job_id in taken_jobs:
            continue
        if one.agent_room is not None and taken_agents[agent] >= one.agent_room:
            continue
        taken_jobs.add(one.job_id)
        taken_agents[agent] += 1
        ranked.append((turns[one.context_id], one.priority, one.effective_at, index))
        turns[one.context_id] += 1
    return [candidates[index] for *_, index in sorted(ranked)[:at_most]]
