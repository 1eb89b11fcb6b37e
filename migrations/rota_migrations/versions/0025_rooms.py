"""How much room each context has, asked in a way that costs the same however many wait."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """How many runs each context has room for, seen under the lock of the admission.

    0 where somebody waits, or where an agent has a limit of its own: that is looked at run by run.
    """
    # Whether one waits: in the order of the index of what waits, and written so that PostgreSQL cannot decide to
    # gather all of them first.
    op.execute("""
        CREATE OR REPLACE FUNCTION rota_rooms(wanted uuid[])
        RETURNS TABLE (context_id uuid, room bigint, looked_at timestamptz) LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('rota admission'));
            RETURN QUERY
                SELECT c.id, CASE
                    WHEN (SELECT 1 FROM occurrences q WHERE q.context_id = c.id AND q.state = 'queued'
                          ORDER BY q.priority LIMIT 1) IS NOT NULL
                      OR (SELECT 1 FROM agent_configurations a
                          WHERE a.max_concurrent_runs IS NOT NULL AND a.context_id = c.id LIMIT 1) IS NOT NULL
                      OR (SELECT 1 FROM agent_configurations a
                          WHERE a.max_concurrent_runs IS NOT NULL AND a.context_id IS NULL LIMIT 1) IS NOT NULL THEN 0
                    ELSE c.max_concurrent_runs - (SELECT count(*) FROM occurrences d
                                                  WHERE d.context_id = c.id AND d.state = 'dispatched') END,
                    clock_timestamp()
                FROM contexts c WHERE c.id = ANY (wanted);
        END $$
    """)
    # Of these contexts those in which somebody waits, seen under the same lock.
    op.execute("""
        CREATE FUNCTION rota_waiting(wanted uuid[]) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('rota admission'));
            RETURN QUERY
                SELECT w.id FROM unnest(wanted) AS w (id)
                WHERE (SELECT 1 FROM occurrences q WHERE q.context_id = w.id AND q.state = 'queued'
                       ORDER BY q.priority LIMIT 1) IS NOT NULL;
        END $$
    """)
