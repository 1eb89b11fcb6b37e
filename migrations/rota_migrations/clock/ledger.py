"""Timers, and the ledger in monthly partitions."""

from alembic import op


def extend_timers() -> None:
    op.execute("""
        ALTER TABLE job_timers
            ADD COLUMN context_id uuid,
            ADD COLUMN accounted_until timestamptz,
            ADD COLUMN wake_at timestamptz,
            ADD COLUMN turn integer NOT NULL DEFAULT 0,
            ADD COLUMN runs integer NOT NULL DEFAULT 0,
            ADD COLUMN failures_in_a_row integer NOT NULL DEFAULT 0,
            ADD COLUMN paused_at timestamptz,
            ADD COLUMN pause_reason text
    """)
    # An instant that is due now is the first that is not accounted for.
    op.execute("""
        UPDATE job_timers t
        SET context_id = j.context_id, wake_at = t.next_run_at,
            accounted_until = least(t.next_run_at - interval '1 second', clock_timestamp())
        FROM scheduled_jobs j WHERE j.id = t.job_id
    """)
    op.execute("""
        ALTER TABLE job_timers
            ALTER COLUMN context_id SET NOT NULL, ALTER COLUMN accounted_until SET NOT NULL
    """)
    op.execute("DROP INDEX ix_job_timers_next_run_at")
    op.execute("CREATE INDEX ix_job_timers_wake_at ON job_timers (wake_at, turn) WHERE wake_at IS NOT NULL")
    op.execute("ALTER TABLE job_statistics ADD COLUMN context_id uuid")
    op.execute("""
        UPDATE job_statistics s SET context_id = j.context_id FROM scheduled_jobs j WHERE j.id = s.job_id
    """)
    op.execute("ALTER TABLE job_statistics ALTER COLUMN context_id SET NOT NULL")


def partition_occurrences() -> None:
    op.execute("ALTER TABLE occurrences RENAME TO occurrences_0002")
    op.execute("ALTER TABLE occurrences_0002 RENAME CONSTRAINT pk_occurrences TO pk_occurrences_0002")
    op.execute("ALTER TABLE occurrences_0002 DROP CONSTRAINT fk_occurrences_context_id")
    for index in (
        "uq_occurrences_job_id_scheduled_for",
        "ix_occurrences_job_id_created_at",
        "ix_occurrences_open",
        "ix_occurrences_queued",
        "ix_occurrences_context_id",
    ):
        op.execute(f"DROP INDEX {index}")
    op.execute("""
        CREATE TABLE occurrences (
            run_id uuid NOT NULL,
            job_id uuid NOT NULL,
            context_id uuid NOT NULL,
            scheduled_for timestamptz NOT NULL,
            effective_at timestamptz NOT NULL,
            trigger text NOT NULL,
            state text NOT NULL,
            disposition text,
            reason_code text,
            reason text,
            instants integer NOT NULL DEFAULT 1,
            last_instant timestamptz,
            coalesced_into uuid,
            stands_for integer NOT NULL DEFAULT 1,
            first_instant timestamptz,
            attempt integer NOT NULL DEFAULT 1,
            failures integer NOT NULL DEFAULT 0,
            losses integer NOT NULL DEFAULT 0,
            priority smallint NOT NULL DEFAULT 5,
            is_exclusive boolean NOT NULL DEFAULT true,
            requested_by uuid,
            prompt_context text NOT NULL DEFAULT '',
            not_before timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz,
            queued_at timestamptz,
            dispatched_at timestamptz,
            check_at timestamptz,
            cancelled_at timestamptz,
            cancel_reason text,
            started_at timestamptz,
            closed_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_occurrences PRIMARY KEY (run_id, scheduled_for),
            CONSTRAINT ck_occurrences_trigger CHECK (trigger IN ('schedule', 'manual', 'backfill')),
            CONSTRAINT ck_occurrences_state CHECK (state IN ('queued', 'dispatched', 'closed')),
            CONSTRAINT ck_occurrences_disposition
                CHECK (disposition IN ('ran', 'skipped', 'missed', 'coalesced', 'suppressed')),
            CONSTRAINT ck_occurrences_closed_with_disposition CHECK (
                (state = 'closed') = (disposition IS NOT NULL) AND (state = 'closed') = (closed_at IS NOT NULL)),
            CONSTRAINT ck_occurrences_counts CHECK (
                instants >= 1 AND stands_for >= 1 AND attempt >= 1 AND failures >= 0 AND losses >= 0)
        ) PARTITION BY RANGE (scheduled_for)
    """)
    for name, columns, condition in (
        ("job_id", "job_id, scheduled_for DESC", None),
        ("open", "job_id", "closed_at IS NULL"),
        ("queued", "context_id, priority, effective_at, run_id", "state = 'queued'"),
        ("dispatched", "context_id", "state = 'dispatched'"),
        ("waiting", "not_before", "state = 'queued' AND attempt > 1"),
        ("expiring", "expires_at", "state = 'queued' AND expires_at IS NOT NULL"),
        ("ranges", "last_instant", "instants > 1"),
        ("context_id", "context_id", None),
    ):
        where = f" WHERE {condition}" if condition else ""
        op.execute(f"CREATE INDEX ix_occurrences_{name} ON occurrences ({columns}){where}")
    # What lies in no month that has a partition: backfills of long ago.
    op.execute("CREATE TABLE occurrences_others PARTITION OF occurrences DEFAULT")
    _create_partition_function()
    op.execute("""
        INSERT INTO occurrences
            (run_id, job_id, context_id, scheduled_for, effective_at, trigger, state, disposition, reason,
             instants, last_instant, coalesced_into, attempt, failures, losses, priority, requested_by,
             prompt_context, not_before, dispatched_at, started_at, closed_at, created_at)
        SELECT run_id, job_id, context_id, scheduled_for, effective_at, trigger,
               CASE WHEN state IN ('running', 'parked') THEN 'dispatched' ELSE state END, disposition, reason,
               instants, last_instant, coalesced_into, attempt, failures, losses, priority, requested_by,
               prompt_context, not_before, dispatched_at, started_at, closed_at, created_at
        FROM occurrences_0002
    """)
    op.execute("DROP TABLE occurrences_0002")


def _create_partition_function() -> None:
    """Runs as the owner of the ledger: the ticker may keep its months, and nothing else of the schema."""
    op.execute("""
        CREATE FUNCTION rota_keep_months(retention interval) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
        DECLARE
            month date;
            partition text;
            dropped integer := 0;
            is_needed boolean;
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('rota_keep_months'));
            FOR month IN SELECT generate_series(date_trunc('month', now()) - interval '1 month',
                                                date_trunc('month', now()) + interval '2 months', '1 month')
            LOOP
                partition := 'occurrences_' || to_char(month, 'YYYY_MM');
                IF to_regclass(partition) IS NULL AND NOT EXISTS (
                    SELECT 1 FROM occurrences_others
                    WHERE scheduled_for >= month AND scheduled_for < month + interval '1 month')
                THEN
                    EXECUTE format('CREATE TABLE %I PARTITION OF occurrences FOR VALUES FROM (%L) TO (%L)',
                                   partition, month::timestamptz, (month + interval '1 month')::timestamptz);
                END IF;
            END LOOP;
            FOR partition IN
                SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'occurrences'::regclass AND c.relname ~ '^occurrences_\\d{4}_\\d{2}$'
                  AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= now() - retention
            LOOP
                -- A range belongs to the month of its first instant, and stands for later ones too.
                EXECUTE format('SELECT EXISTS (SELECT 1 FROM %1$I WHERE closed_at IS NULL)
                                OR EXISTS (SELECT 1 FROM %1$I WHERE instants > 1 AND last_instant > $1)', partition)
                    INTO is_needed USING now() - retention;
                IF NOT is_needed THEN
                    EXECUTE format('DROP TABLE %I', partition);
                    dropped := dropped + 1;
                END IF;
            END LOOP;
            DELETE FROM occurrences_others
            WHERE scheduled_for < now() - retention AND closed_at < now() - retention;
            RETURN dropped;
        END $$
    """)
    op.execute("REVOKE ALL ON FUNCTION rota_keep_months(interval) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION rota_keep_months(interval) TO rota_ticker")
    op.execute("SELECT rota_keep_months(interval '90 days')")
