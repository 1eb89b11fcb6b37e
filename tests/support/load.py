"""Jobs that keep the system busy: many contexts, every policy, every second or few."""

import itertools
import json
import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.support.recorded import READS, WRITES
from tests.support.world import World

EXPRESSIONS = ("* * * * * *", "*/2 * * * * *", "@every 1s", "@every 3s", "*/5 * * * * *", "@every 5s")
POLICIES = ("skip", "buffer_one", "allow", "cancel_other")
CATCH_UP = ("latest", "all", "skip")
ROOMS = (1, 2, 4, 8)

INSERT = """
    INSERT INTO scheduled_jobs (context_id, name, cron_expression, seconds_field, tool, arguments,
        overlap_policy, catch_up_policy, catch_up_max_runs, max_retries, retry_backoff_seconds, retry_backoff)
    SELECT r.context_id, r.name, r.cron_expression, true, r.tool, r.arguments, r.overlap_policy,
           r.catch_up_policy, 5, r.max_retries, 1, r.retry_backoff
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
        context_id uuid, name text, cron_expression text, tool text, arguments jsonb, overlap_policy text,
        catch_up_policy text, max_retries int, retry_backoff text)
"""


@dataclass(frozen=True)
class Load:
    """Contexts with the number of runs that each may have at once."""

    rooms: dict[UUID, int]

    @property
    def contexts(self) -> list[UUID]:
        return list(self.rooms)


async def a_load(world: World, dice: random.Random, jobs: int, *, swift: bool = False) -> Load:
    """`jobs` in each of some contexts; some take long or fail, unless they are `swift`."""
    rooms = {await world.a_context(max_concurrent_runs=room): room for room in ROOMS}
    mixed = itertools.cycle(itertools.product(POLICIES, CATCH_UP))
    rows = [_a_job(dice, context, number, *next(mixed)) for context in rooms for number in range(jobs)]
    if swift:
        rows = [{**row, "arguments": {}} for row in rows]
    await world.sql(INSERT, rows=json.dumps(rows))
    return Load(rooms)


def _a_job(dice: random.Random, context: UUID, number: int, overlap: str, catch_up: str) -> dict[str, Any]:
    return {
        "context_id": str(context),
        "name": f"job {number}",
        "cron_expression": dice.choice(EXPRESSIONS),
        "tool": dice.choice((READS, READS, WRITES)),
        "arguments": {
            "seconds": round(dice.choice((0, 0.1, 0.5, 2)), 2),
            "failures": dice.choice((0, 0, 0, 1, 2)),
        },
        "overlap_policy": overlap,
        "catch_up_policy": catch_up,
        "max_retries": dice.choice((0, 1, 3)),
        "retry_backoff": dice.choice(("fixed", "exponential")),
    }
