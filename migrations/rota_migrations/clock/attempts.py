"""What executors hold and have done."""

from alembic import op


def create_effects() -> None:
    op.execute("""
        CREATE TABLE tool_effects (
            run_id uuid NOT NULL,
            attempt integer NOT NULL,
            call_id text NOT NULL,
            context_id uuid NOT NULL
                CONSTRAINT fk_tool_effects_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            tool_name text NOT NULL,
            state text NOT NULL
                CONSTRAINT ck_tool_effects_state CHECK (state IN ('started', 'done', 'failed')),
            started_at timestamptz NOT NULL DEFAULT now(),
            ended_at timestamptz,
            CONSTRAINT pk_tool_effects PRIMARY KEY (run_id, attempt, call_id)
        )
    """)
    op.execute("CREATE INDEX ix_tool_effects_context_id ON tool_effects (context_id)")


def narrow_confirmations() -> None:
    op.execute("""
        CREATE TABLE unpublished_outcomes (
            run_id uuid NOT NULL,
            attempt integer NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_unpublished_outcomes PRIMARY KEY (run_id, attempt)
        )
    """)
    op.execute("""
        INSERT INTO unpublished_outcomes (run_id, attempt, created_at)
        SELECT run_id, attempt, ended_at FROM run_attempts WHERE state = 'ended' AND published_at IS NULL
    """)
    op.execute("ALTER TABLE run_attempts DROP COLUMN published_at")
    op.execute("""
        CREATE TABLE unannounced_results (
            id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_unannounced_results PRIMARY KEY,
            run_ids uuid[] NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        INSERT INTO unannounced_results (run_ids, created_at)
        SELECT ARRAY[run_id], created_at FROM agent_execution_results WHERE announced_at IS NULL
    """)
    op.execute("ALTER TABLE agent_execution_results DROP COLUMN announced_at")
    op.execute("""
        CREATE TABLE unpublished_events (
            id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_unpublished_events PRIMARY KEY,
            types text[] NOT NULL,
            payloads text[] NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    # The bell needs no delivery: a notification is in it by being written.
    op.execute("DELETE FROM deliveries WHERE channel = 'in_app'")
    op.execute("""
        ALTER TABLE deliveries DROP CONSTRAINT ck_deliveries_channel,
            ADD CONSTRAINT ck_deliveries_channel CHECK (channel IN ('email', 'telegram', 'webhook'))
    """)
    op.execute("""
        ALTER TABLE notifications DROP CONSTRAINT ck_notifications_category,
            ADD CONSTRAINT ck_notifications_category
                CHECK (category IN ('success', 'error', 'approval_needed', 'paused'))
    """)


def hold_by_executor() -> None:
    """One lease of an executor for all its attempts, instead of one of each attempt.

    The executor writes its row. The two things that a ticker may do to it are functions that run as its
    owner: give notice to who is absent, and end leases that are over.
    """
    op.execute("""
        CREATE TABLE executors (
            id text NOT NULL CONSTRAINT pk_executors PRIMARY KEY,
            lease_until timestamptz NOT NULL,
            notice interval NOT NULL,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            started_at timestamptz NOT NULL DEFAULT now(),
            ended_at timestamptz
        )
    """)
    op.execute("""
        INSERT INTO executors (id, lease_until, notice)
        SELECT executor, max(lease_until), interval '2.5 seconds' FROM run_attempts WHERE state <> 'ended'
        GROUP BY executor
    """)
    op.execute("DROP INDEX ix_run_attempts_lease_until")
    op.execute("ALTER TABLE run_attempts DROP COLUMN lease_until")
    op.execute("""
        CREATE INDEX ix_run_attempts_executor ON run_attempts (executor, state) WHERE state <> 'ended'
    """)
    # Whoever renewed since the ticker looked (`seen`), or renews just now, is there.
    op.execute("""
        CREATE FUNCTION rota_give_notice(names text[], seen timestamptz[]) RETURNS SETOF text
        LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
            UPDATE executors e SET lease_until = clock_timestamp() + e.notice, changed_xid = pg_current_xact_id()
            WHERE e.id IN (
                SELECT x.id FROM unnest(names, seen) AS s (name, lease_until)
                JOIN executors x ON x.id = s.name AND x.lease_until = s.lease_until
                WHERE x.ended_at IS NULL AND x.lease_until > clock_timestamp() + x.notice
                FOR NO KEY UPDATE OF x SKIP LOCKED)
            RETURNING e.id
        $$
    """)
    # The executor holds its row (FOR KEY SHARE) while it claims and writes outcomes: what is on its way then
    # is committed before its lease is ended, or refused. What a leap of the clock went over is not over yet:
    # it was written before the leap, by a transaction before `leapt_before`.
    op.execute("""
        CREATE FUNCTION rota_end_leases(
            reached timestamptz, leapt_to timestamptz[], leapt_by interval[], leapt_before xid8[])
        RETURNS bigint
        LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
            DELETE FROM executors WHERE id IN (
                SELECT e.id FROM executors e
                WHERE e.ended_at IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM run_attempts a
                    JOIN occurrences o ON o.run_id = a.run_id AND o.attempt = a.attempt
                    WHERE a.executor = e.id AND a.state <> 'ended' AND o.state = 'dispatched')
                FOR UPDATE OF e SKIP LOCKED);
            UPDATE executors SET ended_at = clock_timestamp() WHERE id IN (
                SELECT e.id FROM executors e
                WHERE e.ended_at IS NULL AND e.lease_until <= reached AND NOT EXISTS (
                    SELECT 1 FROM unnest(leapt_to, leapt_by, leapt_before) AS l (moment, length, before)
                    WHERE e.changed_xid < l.before
                      AND e.lease_until <= l.moment AND e.lease_until > reached - l.length)
                FOR UPDATE OF e SKIP LOCKED);
            SELECT count(*) FROM executors
        $$
    """)
    for function in (
        "rota_give_notice(text[], timestamptz[])",
        "rota_end_leases(timestamptz, timestamptz[], interval[], xid8[])",
    ):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO rota_ticker")
