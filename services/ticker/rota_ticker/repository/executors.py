"""Who holds attempts, and until when; the ticker may give notice and end what is over, nothing else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rota_store import Connection, Database
from rota_ticker.domain.leaps import Leap

LEASES = """
    SELECT id, lease_until, lease_until - clock_timestamp() FROM executors WHERE ended_at IS NULL
"""

GIVE_NOTICE = "SELECT rota_give_notice(CAST(:names AS text[]), CAST(:seen AS timestamptz[]))"

END_LEASES = """
    SELECT rota_end_leases(CAST(:reached AS timestamptz), CAST(:leapt_to AS timestamptz[]),
                           CAST(:leapt_by AS interval[]), CAST(CAST(:leapt_before AS text[]) AS xid8[]))
"""

HORIZON = "SELECT CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text)"


class Lease(NamedTuple):
    """`left` is how long it goes on by PostgreSQL's clock; negative when it is over."""

    executor: str
    until: datetime
    left: timedelta


async def leases(database: Database) -> list[Lease]:
    """Of all that have not been ended."""
    return [Lease(*row) for row in await database.fetch(LEASES)]


async def give_notice(database: Database, absent: Sequence[Lease]) -> list[str]:
    """Shortens leases to the notice that their executors need, unless they were renewed since; whose."""
    values = {"names": [lease.executor for lease in absent], "seen": [lease.until for lease in absent]}
    return [row[0] for row in await database.fetch(GIVE_NOTICE, values)]


async def horizon(connection: Connection) -> str:
    """The id of a transaction, as text, that is before all that begin from now on."""
    found: str = (await connection.fetch(HORIZON))[0][0]
    return found


async def end_leases(connection: Connection, reached: datetime, leaps: Sequence[Leap]) -> int:
    """Ends the leases that are over and forgets executors of whom nothing is open; how many are left.

    Afterwards nothing that an ended one wrote is on its way to its commit. A lease that the clock leapt over
    goes on for as long as it would have without the leap.
    """
    values = {
        "reached": reached,
        "leapt_to": [leap.to for leap in leaps],
        "leapt_by": [leap.by for leap in leaps],
        "leapt_before": [leap.before for leap in leaps],
    }
    left: int = (await connection.fetch(END_LEASES, values))[0][0]
    return left
