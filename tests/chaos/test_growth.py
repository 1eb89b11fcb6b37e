"""Statements that were planned while there was nothing, executed when there is much."""

from pathlib import Path

from tests.support.eventually import eventually
from tests.support.plans import plans_watched
from tests.support.recorded import READS
from tests.support.servers import Servers
from tests.support.system import System
from tests.support.world import World

CROWD = 1000
# One on the way of each service.
WRITTEN = ("occurrences", "run_attempts", "agent_execution_results", "notifications")


async def test_a_statement_planned_on_empty_tables_reads_each_row_once(
    servers: Servers, tmp_path: Path
) -> None:
    """What an execution reads grows with what there is, not with its square: nobody's crowd stops the clock.

    PostgreSQL has been told that the tables are empty, and each service has planned its statements by that.
    """
    async with World.created(servers) as world:
        await world.sql("ANALYZE")
        async with (
            plans_watched(world) as plans,
            System.running(world, tmp_path, also=("ticker-2",)) as system,
        ):
            for _ in range(8):
                first = await system.many_jobs(1, tool=READS)
                await system.make_due(first)
                await system.all_accounted_for(first, 1)
            queued = await system.many_jobs(CROWD, tool=READS, at_once=3)
            await system.make_due(queued)
            await system.under_way(queued)
            other = await system.many_jobs(CROWD, tool=READS)
            await system.make_due(other)
            await system.all_accounted_for(other, CROWD)
            # The sweeps pass over what is at least ten seconds old.
            await eventually(lambda: _is_old(world), seconds=30, what="a sweep")
            reads = plans.reads()
    for table in WRITTEN:
        assert any(f"INSERT INTO {table}" in statement for statement in reads), table
    greedy = {statement: rows for statement, rows in reads.items() if rows > 4 * CROWD}
    assert not greedy


async def _is_old(world: World) -> bool:
    return bool(
        await world.value("SELECT min(ended_at) < clock_timestamp() - interval '15 s' FROM run_attempts")
    )
