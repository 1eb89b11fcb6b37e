"""How far the comparison of the ledger with the definitions has come, told by one row for all replicas."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from rota_store import Database

# What was due this long ago is looked at each time, and what has become due since the last time through.
WINDOW = timedelta(days=1)
# What was due then may have been written after its job was looked at.
OVERLAP = timedelta(minutes=5)
# Whoever takes a batch of jobs and is not heard of for so long has lost it to the next.
LEASE = timedelta(minutes=2)

# A clock that was set back leaves instants of the future behind: they hold nothing up.
BEGIN = """
    INSERT INTO ledger_audits (since)
    SELECT least(clock_timestamp() - CAST(:window AS interval), (
        SELECT max(started_at) FROM ledger_audits
        WHERE completed_at IS NOT NULL AND started_at <= clock_timestamp()) - CAST(:overlap AS interval))
    WHERE NOT EXISTS (SELECT 1 FROM ledger_audits WHERE completed_at IS NULL)
      AND NOT EXISTS (SELECT 1 FROM ledger_audits
                      WHERE started_at > clock_timestamp() - CAST(:interval AS interval)
                        AND started_at <= clock_timestamp())
    ON CONFLICT DO NOTHING
"""

TAKE = """
    UPDATE ledger_audits SET next_batch_at = clock_timestamp() + CAST(:lease AS interval)
    WHERE completed_at IS NULL AND (next_batch_at <= clock_timestamp()
                                    OR next_batch_at > clock_timestamp() + CAST(:lease AS interval))
    RETURNING started_at, since, after_job_id, next_batch_at
"""

ADVANCE = """
    UPDATE ledger_audits
    SET after_job_id = :after, jobs = jobs + :jobs, unaccounted_jobs = unaccounted_jobs + :unaccounted_jobs,
        unaccounted_instants = unaccounted_instants + :unaccounted_instants,
        behind_jobs = behind_jobs + :behind_jobs, next_batch_at = clock_timestamp() + CAST(:pause AS interval),
        completed_at = CASE WHEN :is_last THEN clock_timestamp() END
    WHERE started_at = :started_at AND next_batch_at = :lease_until AND completed_at IS NULL
"""

STANDING = """
    (SELECT completed_at, jobs, unaccounted_jobs, unaccounted_instants, behind_jobs FROM ledger_audits
     WHERE completed_at IS NOT NULL ORDER BY completed_at DESC LIMIT 1)
    UNION ALL
    SELECT completed_at, jobs, unaccounted_jobs, unaccounted_instants, behind_jobs FROM ledger_audits
    WHERE completed_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """The next jobs of a time through are this process's to look at, until the lease is over."""

    started_at: datetime
    since: datetime
    after: UUID | None
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """What a batch came to, or all of them."""

    jobs: int = 0
    unaccounted_jobs: int = 0
    unaccounted_instants: int = 0
    behind_jobs: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """The last time through, and the one that is under way."""

    completed_at: datetime | None = None
    completed: Tally = Tally()
    under_way: Tally = Tally()


async def begin(database: Database, interval: timedelta) -> None:
    """Begins a time through, unless one is under way or the last one began less than `interval` ago."""
    await database.execute(BEGIN, {"window": WINDOW, "overlap": OVERLAP, "interval": interval})


async def take(database: Database) -> Batch | None:
    """None when there is none, when it is not time for it yet, or when somebody else has it."""
    found = await database.fetch(TAKE, {"lease": LEASE})
    return Batch(*found[0]) if found else None


async def advance(
    database: Database, batch: Batch, last_job: UUID | None, tally: Tally, pause: timedelta
) -> None:
    """Adds what a batch came to; `last_job` is where it ended, None after the last job of all."""
    await database.execute(
        ADVANCE,
        {
            "started_at": batch.started_at,
            "lease_until": batch.lease_until,
            "after": last_job,
            "is_last": last_job is None,
            "pause": pause,
            "jobs": tally.jobs,
            "unaccounted_jobs": tally.unaccounted_jobs,
            "unaccounted_instants": tally.unaccounted_instants,
            "behind_jobs": tally.behind_jobs,
        },
    )


async def standing(database: Database) -> Standing:
    completed_at, completed, under_way = None, Tally(), Tally()
    for row in await database.fetch(STANDING):
        tally = Tally(*list(row)[1:])
        if row[0] is None:
            under_way = tally
        else:
            completed_at, completed = row[0], tally
    return Standing(completed_at, completed, under_way)
