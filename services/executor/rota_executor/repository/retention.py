"""What is older than an operator wants to keep it: attempts, with what they did and wanted told."""


def _prune(age: str, condition: str) -> str:
    """All attempts of a run go together, and none while the run is open."""
    return f"""
        WITH old AS MATERIALIZED (
            SELECT a.run_id FROM run_attempts a
            WHERE {condition} AND a.{age} < statement_timestamp() - CAST(:retention AS interval)
              AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.run_id = ANY (ARRAY[a.run_id]) AND o.state <> 'closed')
            ORDER BY a.{age} LIMIT :limit FOR UPDATE OF a SKIP LOCKED
        ), effects AS (
            DELETE FROM tool_effects e USING old WHERE e.run_id = ANY (ARRAY[old.run_id])
        ), requests AS (
            DELETE FROM notification_requests r USING old WHERE r.run_id = ANY (ARRAY[old.run_id])
        ), gone AS (
            DELETE FROM run_attempts g USING old WHERE g.run_id = ANY (ARRAY[old.run_id])
        )
        SELECT count(*) FROM old
    """


# An executor vanished, and the job was gone before another could take the run: that never ended.
_NEVER_ENDED = """
    a.state <> 'ended'
    AND NOT EXISTS (SELECT 1 FROM run_attempts b WHERE b.run_id = ANY (ARRAY[a.run_id]) AND b.state || '' = 'ended')
"""
# A month that goes on began a month ago at the most.
_PERIODS = """
    WITH old AS MATERIALIZED (
        SELECT p.budget_id, p.period_start FROM budget_periods p
        WHERE p.period_start < statement_timestamp() - CAST(:retention AS interval) - interval '1 month'
        ORDER BY p.period_start LIMIT :limit FOR UPDATE OF p SKIP LOCKED
    ), gone AS (
        DELETE FROM budget_periods g USING old
        WHERE g.budget_id = ANY (ARRAY[old.budget_id]) AND g.period_start = old.period_start
    )
    SELECT count(*) FROM old
"""
# The last use of a grant says how many there were: it goes with the grant.
_USES = """
    WITH old AS MATERIALIZED (
        SELECT u.grant_id, u.number FROM grant_uses u
        WHERE u.used_at < statement_timestamp() - CAST(:retention AS interval)
          AND EXISTS (SELECT 1 FROM grant_uses later
                      WHERE later.grant_id = ANY (ARRAY[u.grant_id]) AND later.number > u.number)
        ORDER BY u.used_at LIMIT :limit
    ), gone AS (
        DELETE FROM grant_uses u USING old WHERE u.grant_id = ANY (ARRAY[old.grant_id]) AND u.number = old.number
    )
    SELECT count(*) FROM old
"""
RETENTION = {
    "run_attempts": _prune("ended_at", "a.state = 'ended'"),
    "run_attempts that never ended": _prune("started_at", _NEVER_ENDED),
    "budget_periods": _PERIODS,
    "grant_uses": _USES,
}
