"""References that are checked by the statement, and what goes with who is deleted."""

from alembic import op


def hold_by_statement() -> None:
    """Foreign keys that are checked once per statement and context instead of once per row.

    The check of a row costs as much as the row; hundreds of a batch belong to a few contexts.
    """
    for table in ("run_attempts", "agent_execution_results", "notifications"):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT fk_{table}_context_id")
    op.execute("ALTER TABLE agent_execution_results DROP CONSTRAINT fk_agent_execution_results_schedule_id")
    op.execute("ALTER TABLE job_statistics DROP CONSTRAINT fk_job_statistics_job_id")
    for function, owners, column in (
        ("rota_hold_contexts", "contexts", "context_id"),
        ("rota_hold_schedules", "scheduled_jobs", "schedule_id"),
        ("rota_hold_jobs", "scheduled_jobs", "job_id"),
    ):
        op.execute(f"""
            CREATE FUNCTION {function}() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
            DECLARE
                wanted uuid[];
                held integer;
            BEGIN
                -- As an array: of its size the planner knows something, and uses the index.
                SELECT array_agg(DISTINCT {column}) INTO wanted FROM added WHERE {column} IS NOT NULL;
                SELECT count(*) INTO held FROM (
                    SELECT id FROM {owners} WHERE id = ANY (wanted) ORDER BY id FOR KEY SHARE) o;
                IF held < cardinality(wanted) THEN
                    RAISE foreign_key_violation USING MESSAGE = '{column} names what is not in {owners}';
                END IF;
                RETURN NULL;
            END $$
        """)
    # They fire in the order of their names: jobs are held before contexts, as by who deletes a context.
    held = {
        "hold_1_schedules": ("rota_hold_schedules", ("agent_execution_results",)),
        "hold_1_jobs": ("rota_hold_jobs", ("job_statistics",)),
        "hold_2_contexts": (
            "rota_hold_contexts",
            ("occurrences", "run_attempts", "agent_execution_results", "notifications"),
        ),
    }
    for trigger, (function, tables) in held.items():
        for table in tables:
            op.execute(f"""
                CREATE TRIGGER {trigger} AFTER INSERT ON {table}
                REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION {function}()
            """)
    # What is open comes last, and in the order in which the ticker holds it: whoever waits for it holds up others.
    op.execute("""
        CREATE FUNCTION rota_drop_context() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            DELETE FROM notifications WHERE context_id = OLD.id;
            DELETE FROM agent_execution_results WHERE context_id = OLD.id;
            DELETE FROM run_attempts a USING occurrences o
                WHERE o.context_id = OLD.id AND a.run_id = o.run_id;
            DELETE FROM occurrences WHERE context_id = OLD.id AND closed_at IS NOT NULL;
            PERFORM 1 FROM occurrences
                WHERE context_id = OLD.id AND state = 'dispatched' ORDER BY run_id FOR UPDATE;
            PERFORM 1 FROM occurrences
                WHERE context_id = OLD.id AND state = 'queued' ORDER BY run_id FOR UPDATE;
            DELETE FROM occurrences WHERE context_id = OLD.id;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER drop_context AFTER DELETE ON contexts
        FOR EACH ROW EXECUTE FUNCTION rota_drop_context()
    """)
    op.execute("""
        CREATE FUNCTION rota_drop_job() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            UPDATE agent_execution_results SET schedule_id = NULL WHERE schedule_id = OLD.id;
            DELETE FROM job_statistics WHERE job_id = OLD.id;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER drop_job AFTER DELETE ON scheduled_jobs
        FOR EACH ROW EXECUTE FUNCTION rota_drop_job()
    """)
    # In the order in which all others take these locks. What else is deleted is locked in any order: where two
    # wait for each other then, this one gives up before PostgreSQL picks one of them (deadlock_timeout).
    op.execute("""
        CREATE FUNCTION rota_hold_context(context uuid) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            PERFORM 1 FROM calendars WHERE context_id = context ORDER BY name FOR UPDATE;
            PERFORM 1 FROM scheduled_jobs WHERE context_id = context ORDER BY id FOR UPDATE;
            PERFORM 1 FROM job_timers WHERE context_id = context ORDER BY job_id FOR UPDATE;
            PERFORM 1 FROM contexts WHERE id = context FOR UPDATE;
            PERFORM set_config('lock_timeout', '100ms', true);
        END $$
    """)
    op.execute("REVOKE ALL ON FUNCTION rota_hold_context(uuid) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION rota_hold_context(uuid) TO rota_gateway")
    op.execute("DROP INDEX ix_run_attempts_context_id")
    op.execute("DROP INDEX ix_run_attempts_ended_at")
    op.execute("CREATE INDEX ix_run_attempts_ended_at ON run_attempts (ended_at) WHERE state = 'ended'")
    op.execute("DROP INDEX ix_agent_execution_results_user_id")
    op.execute("""
        CREATE INDEX ix_agent_execution_results_user_id ON agent_execution_results (user_id, created_at DESC)
        WHERE user_id IS NOT NULL
    """)
