"""One look at all there may be to do: what an idle ticker costs."""

from datetime import timedelta
from typing import NamedTuple

from rota_store import Database

# Only the ends of indices are read, however much there is. Whether what is new was seen to already, the
# statements that read it find out.
LOOK = """
    SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text),
           coalesce((SELECT max(changed_xid) FROM scheduled_jobs) >= CAST(CAST(:jobs AS text) AS xid8), false),
           coalesce((SELECT max(changed_xid) FROM run_requests) >= CAST(CAST(:requests AS text) AS xid8), false),
           coalesce((SELECT max(changed_xid) FROM run_cancellations)
                    >= CAST(CAST(:cancellations AS text) AS xid8), false),
           coalesce((SELECT max(changed_xid) FROM run_resumptions)
                    >= CAST(CAST(:resumptions AS text) AS xid8), false),
           (SELECT 1 FROM occurrences WHERE state = 'queued' AND not_before <= clock_timestamp()
            ORDER BY context_id, priority LIMIT 1) IS NOT NULL,
           least((SELECT min(wake_at) FROM job_timers WHERE wake_at IS NOT NULL),
                 (SELECT min(not_before) FROM occurrences WHERE state = 'queued' AND attempt > 1
                  AND not_before > clock_timestamp()),
                 (SELECT min(expires_at) FROM occurrences WHERE state = 'queued' AND expires_at IS NOT NULL))
           - clock_timestamp()
"""


class Glance(NamedTuple):
    """What there may be. `horizon` is a transaction id before which nothing can become visible any more.

    `patience` is how long nothing is due, by PostgreSQL's clock; None when nothing is planned at all.
    """

    horizon: str
    has_changes: bool
    has_requests: bool
    has_cancellations: bool
    has_resumptions: bool
    is_waiting: bool
    patience: timedelta | None


async def look(
    database: Database, *, jobs: str, requests: str, cancellations: str, resumptions: str
) -> Glance:
    """What there is since the horizon of each."""
    horizons = {
        "jobs": jobs,
        "requests": requests,
        "cancellations": cancellations,
        "resumptions": resumptions,
    }
    rows = await database.fetch(LOOK, horizons)
    return Glance(*rows[0])
