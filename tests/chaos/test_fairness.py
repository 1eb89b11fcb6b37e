"""One tenant's crowd is nobody else's queue."""

import pytest

from tests.support.recorded import READS
from tests.support.system import System

CROWD = 5000


@pytest.mark.parametrize("room", [3, 50, 1000])
async def test_a_crowd_of_one_tenant_does_not_delay_another(system: System, room: int) -> None:
    """Of 5,001 runs due at one instant, the only one of its tenant begins before a fifth of the others.

    It is in the first batch of a ticker; another ticker may be a batch or two of 500 ahead of that one.
    """
    crowd = await system.many_jobs(CROWD, tool=READS, at_once=room)
    other = await system.many_jobs(1, tool=READS)
    await system.make_due(crowd, other)
    await system.all_accounted_for(other, 1)
    if room > 3:  # three at a time would take minutes
        await system.all_accounted_for(crowd, CROWD, seconds=180)
    before = await system.world.value(
        "SELECT count(*) FROM run_attempts WHERE context_id = :crowd AND started_at <"
        " (SELECT started_at FROM run_attempts WHERE context_id = :other)",
        crowd=crowd,
        other=other,
    )
    print(f"{before} of {CROWD} began before the other's")
    assert before < CROWD / 5
