"""The clock's whole schedule: kinds, bounds, exclusions, policies; the ledger in monthly partitions.

Confirmations of published outcomes and results move out of the wide rows into narrow ones, which are
deleted when the bus has confirmed.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What makes the clock go by another definition when it changes.
SCHEDULE_COLUMNS = (
    "cron_expression",
    "seconds_field",
    "timezone",
    "dst_gap",
    "dst_repeat",
    "start_at",
    "end_at",
    "max_runs",
    "jitter_seconds",
    "excluded_dates",
    "excluded_instants",
    "calendar_dates",
    "is_enabled",
    "paused_until",
    "catch_up_policy",
    "catch_up_window_seconds",
    "catch_up_max_runs",
    "overlap_policy",
)

WRITES = {
    "rota_gateway": {
        "calendars": "SELECT, INSERT, UPDATE, DELETE",
        "job_revisions": "SELECT, INSERT",
        "run_cancellations": "SELECT, INSERT",
        "ledger_audits": "SELECT, INSERT, UPDATE",
    },
    "rota_ticker": {
        "occurrences": "SELECT, INSERT, UPDATE",
        "unpublished_events": "SELECT, INSERT, UPDATE, DELETE",
    },
    "rota_executor": {
        "executors": "SELECT, INSERT, UPDATE",
        "unpublished_outcomes": "SELECT, INSERT, DELETE",
        "tool_effects": "SELECT, INSERT, UPDATE, DELETE",
        "run_attempts": "DELETE",
    },
    "rota_results": {
        "unannounced_results": "SELECT, INSERT, DELETE",
        "agent_execution_results": "DELETE",
        "conversations": "DELETE",
    },
    "rota_notifier": {"notifications": "UPDATE, DELETE"},
}
READS = {
    "rota_gateway": "occurrences, tool_effects",
    "rota_ticker": "job_revisions, run_cancellations, agent_configurations, executors",
    "rota_executor": "occurrences",
    "rota_results": "occurrences",
    "rota_notifier": "occurrences",
}


def upgrade() -> None:
    _extend_definitions()
    _create_calendars()
    _create_revisions()
    _create_cancellations()
    _create_effects()
    _extend_timers()
    _partition_occurrences()
    _create_rooms()
    _create_audits()
    _narrow_confirmations()
    _hold_by_executor()
    _hold_by_statement()
    _create_retention()
    _touch_trigger()
    _protect()


def _extend_definitions() -> None:
    op.execute("""
        ALTER TABLE agent_configurations ADD COLUMN max_concurrent_runs integer,
            ADD CONSTRAINT ck_agent_configurations_max_concurrent_runs
                CHECK (max_concurrent_runs BETWEEN 1 AND 1000)
    """)
    op.execute("""
        ALTER TABLE scheduled_jobs
            ADD COLUMN seconds_field boolean NOT NULL DEFAULT false,
            ADD COLUMN excluded_dates date[] NOT NULL DEFAULT '{}',
            ADD COLUMN excluded_instants timestamptz[] NOT NULL DEFAULT '{}',
            ADD COLUMN calendars text[] NOT NULL DEFAULT '{}',
            ADD COLUMN calendar_dates date[] NOT NULL DEFAULT '{}',
            ADD COLUMN tool text,
            ADD COLUMN arguments jsonb NOT NULL DEFAULT '{}',
            ADD COLUMN paused_by uuid,
            ADD COLUMN paused_until timestamptz,
            ADD COLUMN resume_catch_up text NOT NULL DEFAULT 'none',
            ADD COLUMN resumed_at timestamptz,
            ADD COLUMN retry_backoff text NOT NULL DEFAULT 'fixed',
            ADD COLUMN retry_backoff_max_seconds integer NOT NULL DEFAULT 3600,
            ADD COLUMN catch_up_max_runs integer NOT NULL DEFAULT 100,
            ADD COLUMN queue_ttl_seconds integer,
            ADD COLUMN schedule_since timestamptz NOT NULL DEFAULT now(),
            ADD CONSTRAINT fk_scheduled_jobs_paused_by
                FOREIGN KEY (paused_by) REFERENCES users (id) ON DELETE SET NULL,
            DROP CONSTRAINT ck_scheduled_jobs_cron_expression_length,
            ADD CONSTRAINT ck_scheduled_jobs_cron_expression_length CHECK (length(cron_expression) <= 4200),
            ADD CONSTRAINT ck_scheduled_jobs_retry_backoff_max_seconds
                CHECK (retry_backoff_max_seconds BETWEEN 1 AND 86400),
            ADD CONSTRAINT ck_scheduled_jobs_catch_up_max_runs CHECK (catch_up_max_runs BETWEEN 1 AND 1000),
            ADD CONSTRAINT ck_scheduled_jobs_queue_ttl_seconds CHECK (queue_ttl_seconds >= 1),
            ADD CONSTRAINT ck_scheduled_jobs_arguments_by_name CHECK (jsonb_typeof(arguments) = 'object'),
            ADD CONSTRAINT ck_scheduled_jobs_instants_on_calendar CHECK (
                start_at >= '0001-01-02Z' AND start_at < '9999-12-30Z'
                AND end_at >= '0001-01-02Z' AND end_at < '9999-12-30Z'
                AND paused_until >= '0001-01-02Z' AND paused_until < '9999-12-30Z'),
            ADD CONSTRAINT ck_scheduled_jobs_exclusions_on_calendar CHECK (
                '0001-01-02Z' <= ALL (excluded_instants) AND '9999-12-30Z' > ALL (excluded_instants)
                AND '0001-01-02' <= ALL (excluded_dates) AND '9999-12-30' > ALL (excluded_dates)
                AND '0001-01-02' <= ALL (calendar_dates) AND '9999-12-30' > ALL (calendar_dates)),
            ADD CONSTRAINT ck_scheduled_jobs_exclusions_known CHECK (
                array_position(excluded_instants, NULL) IS NULL AND array_position(excluded_dates, NULL) IS NULL
                AND array_position(calendar_dates, NULL) IS NULL),
            ADD CONSTRAINT ck_scheduled_jobs_resume_catch_up
                CHECK (resume_catch_up IN ('none', 'latest', 'all')),
            ADD CONSTRAINT ck_scheduled_jobs_retry_backoff CHECK (retry_backoff IN ('fixed', 'exponential'))
    """)
    op.execute("""
        ALTER TABLE run_requests
            ADD COLUMN trigger text NOT NULL DEFAULT 'manual',
            ADD COLUMN scheduled_for timestamptz,
            ADD COLUMN overlap_policy text,
            ADD CONSTRAINT ck_run_requests_trigger CHECK (trigger IN ('manual', 'backfill')),
            ADD CONSTRAINT ck_run_requests_overlap_policy
                CHECK (overlap_policy IN ('skip', 'buffer_one', 'allow', 'cancel_other', 'queue')),
            ADD CONSTRAINT ck_run_requests_backfill_with_instant
                CHECK ((trigger = 'backfill') = (scheduled_for IS NOT NULL))
    """)


def _create_calendars() -> None:
    op.execute("""
        CREATE TABLE calendars (
            id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_calendars PRIMARY KEY,
            context_id uuid NOT NULL
                CONSTRAINT fk_calendars_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            name text NOT NULL CONSTRAINT ck_calendars_name_length CHECK (length(name) BETWEEN 1 AND 255),
            dates date[] NOT NULL DEFAULT '{}'
                CONSTRAINT ck_calendars_dates_count CHECK (cardinality(dates) <= 5000),
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT uq_calendars_context_id_name UNIQUE (context_id, name)
        )
    """)


def _create_revisions() -> None:
    op.execute("""
        CREATE TABLE job_revisions (
            job_id uuid NOT NULL
                CONSTRAINT fk_job_revisions_job_id REFERENCES scheduled_jobs (id) ON DELETE CASCADE,
            generation bigint NOT NULL,
            context_id uuid NOT NULL
                CONSTRAINT fk_job_revisions_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            valid_from timestamptz NOT NULL,
            valid_until timestamptz NOT NULL,
            definition jsonb NOT NULL,
            CONSTRAINT pk_job_revisions PRIMARY KEY (job_id, generation)
        )
    """)
    op.execute("CREATE INDEX ix_job_revisions_context_id ON job_revisions (context_id)")


def _create_cancellations() -> None:
    op.execute("""
        CREATE TABLE run_cancellations (
            run_id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_run_cancellations PRIMARY KEY,
            context_id uuid NOT NULL
                CONSTRAINT fk_run_cancellations_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            job_id uuid NOT NULL,
            scheduled_for timestamptz NOT NULL,
            requested_by uuid
                CONSTRAINT fk_run_cancellations_requested_by REFERENCES users (id) ON DELETE SET NULL,
            reason text NOT NULL DEFAULT '',
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX ix_run_cancellations_changed_xid ON run_cancellations (changed_xid)")
    op.execute("CREATE INDEX ix_run_cancellations_context_id ON run_cancellations (context_id)")


def _create_effects() -> None:
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


def _extend_timers() -> None:
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


def _partition_occurrences() -> None:
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


def _create_audits() -> None:
    op.execute("""
        CREATE TABLE ledger_audits (
            started_at timestamptz NOT NULL DEFAULT clock_timestamp() CONSTRAINT pk_ledger_audits PRIMARY KEY,
            since timestamptz NOT NULL,
            after_job_id uuid,
            next_batch_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            jobs bigint NOT NULL DEFAULT 0,
            unaccounted_jobs bigint NOT NULL DEFAULT 0,
            unaccounted_instants bigint NOT NULL DEFAULT 0,
            behind_jobs bigint NOT NULL DEFAULT 0,
            completed_at timestamptz
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_ledger_audits_under_way ON ledger_audits ((completed_at IS NULL))
        WHERE completed_at IS NULL
    """)


def _create_rooms() -> None:
    """How many runs each context has room for, seen under the lock of the admission.

    0 where somebody waits, or where an agent has a limit of its own: that is looked at run by run.
    """
    op.execute("""
        CREATE FUNCTION rota_rooms(wanted uuid[])
        RETURNS TABLE (context_id uuid, room bigint, looked_at timestamptz) LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('rota admission'));
            RETURN QUERY
                SELECT c.id, CASE
                    WHEN EXISTS (SELECT 1 FROM occurrences q WHERE q.context_id = c.id AND q.state = 'queued')
                      OR EXISTS (SELECT 1 FROM agent_configurations a WHERE a.max_concurrent_runs IS NOT NULL
                                 AND (a.context_id = c.id OR a.context_id IS NULL)) THEN 0
                    ELSE c.max_concurrent_runs - (SELECT count(*) FROM occurrences d
                                                  WHERE d.context_id = c.id AND d.state = 'dispatched') END,
                    clock_timestamp()
                FROM contexts c WHERE c.id = ANY (wanted);
        END $$
    """)


def _create_retention() -> None:
    """Requests, cancellations, earlier definitions and audits that are old; for the gateway, of all tenants.

    A definition is kept as long as the ledger has a month in which it was in force.
    """
    op.execute("CREATE INDEX ix_run_requests_created_at ON run_requests (created_at)")
    op.execute("CREATE INDEX ix_run_cancellations_created_at ON run_cancellations (created_at)")
    op.execute("CREATE INDEX ix_job_revisions_valid_until ON job_revisions (valid_until)")
    is_open = "EXISTS (SELECT 1 FROM occurrences o WHERE o.run_id = {0}.run_id AND o.closed_at IS NULL)"
    is_planned = """
        EXISTS (SELECT 1 FROM job_timers t WHERE t.job_id = x.job_id AND t.planned_generation > x.generation)
    """
    ledger_begin = """
        (SELECT min(to_date(right(c.relname, 7), 'YYYY_MM'))
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'occurrences'::regclass AND c.relname ~ '^occurrences_\\d{4}_\\d{2}$')
    """
    old = {
        "run_requests": ("run_id", "created_at", f"NOT {is_open.format('x')}"),
        "run_cancellations": ("run_id", "created_at", f"NOT {is_open.format('x')}"),
        "job_revisions": (
            "job_id, generation",
            "valid_until",
            f"valid_until < {ledger_begin} AND {is_planned}",
        ),
        "ledger_audits": ("started_at", "started_at", "completed_at IS NOT NULL"),
    }
    for table, (key, age, condition) in old.items():
        op.execute(f"""
            CREATE FUNCTION rota_prune_{table}(retention interval, at_most integer) RETURNS integer
            LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
                WITH old AS MATERIALIZED (
                    SELECT {key} FROM {table} x
                    WHERE {age} < statement_timestamp() - retention AND {condition}
                    ORDER BY {age} LIMIT at_most FOR UPDATE OF x SKIP LOCKED
                ), gone AS (
                    DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM old)
                )
                SELECT count(*) FROM old
            $$
        """)
        op.execute(f"REVOKE ALL ON FUNCTION rota_prune_{table}(interval, integer) FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION rota_prune_{table}(interval, integer) TO rota_gateway")


def _narrow_confirmations() -> None:
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


def _hold_by_executor() -> None:
    """One lease of an executor for all its attempts, instead of one of each attempt.

    The executor writes its row. The two things that a ticker may do to it are functions that run as its
    owner: give notice to who is absent, and end leases that are over.
    """
    op.execute("""
        CREATE TABLE executors (
            id text NOT NULL CONSTRAINT pk_executors PRIMARY KEY,
            lease_until timestamptz NOT NULL,
            notice interval NOT NULL,
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
            UPDATE executors e SET lease_until = clock_timestamp() + e.notice
            WHERE e.id IN (
                SELECT x.id FROM unnest(names, seen) AS s (name, lease_until)
                JOIN executors x ON x.id = s.name AND x.lease_until = s.lease_until
                WHERE x.ended_at IS NULL AND x.lease_until > clock_timestamp() + x.notice
                FOR NO KEY UPDATE OF x SKIP LOCKED)
            RETURNING e.id
        $$
    """)
    # The executor holds its row (FOR KEY SHARE) while it claims and writes outcomes: what is on its way then
    # is committed before its lease is ended, or refused. What a leap of the clock went over is not over yet.
    op.execute("""
        CREATE FUNCTION rota_end_leases(reached timestamptz, leapt_to timestamptz[], leapt_by interval[])
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
                    SELECT 1 FROM unnest(leapt_to, leapt_by) AS l (moment, length)
                    WHERE e.lease_until <= l.moment AND e.lease_until > reached - l.length)
                FOR UPDATE OF e SKIP LOCKED);
            SELECT count(*) FROM executors
        $$
    """)
    for function in (
        "rota_give_notice(text[], timestamptz[])",
        "rota_end_leases(timestamptz, timestamptz[], interval[])",
    ):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO rota_ticker")


def _hold_by_statement() -> None:
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


def _touch_trigger() -> None:
    """Keeps the definition that the clock went by until now, when it goes by another one from now on."""
    changed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in SCHEDULE_COLUMNS)
    op.execute(f"""
        CREATE OR REPLACE FUNCTION rota_touch_job() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.generation := OLD.generation + 1;
            NEW.changed_xid := pg_current_xact_id();
            NEW.updated_at := clock_timestamp();
            IF {changed} THEN
                NEW.schedule_since := NEW.updated_at;
                INSERT INTO job_revisions (job_id, generation, context_id, valid_from, valid_until, definition)
                VALUES (OLD.id, OLD.generation, OLD.context_id, OLD.schedule_since, NEW.updated_at,
                        to_jsonb(OLD) - 'changed_xid');
            END IF;
            RETURN NEW;
        END $$
    """)


def _protect() -> None:
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        op.execute(f"GRANT SELECT ON {readable} TO {role}")
    others = "rota_ticker, rota_executor, rota_results, rota_notifier"
    visible = "context_id = ANY (ARRAY(SELECT rota_visible_contexts()))"
    writable = "context_id = ANY (ARRAY(SELECT rota_writable_contexts()))"
    for table in ("calendars", "job_revisions", "run_cancellations", "occurrences", "tool_effects"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY services ON {table} TO {others} USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY gateway_select ON {table} FOR SELECT TO rota_gateway USING ({visible})")
    for table in ("calendars", "job_revisions", "run_cancellations"):
        op.execute(
            f"CREATE POLICY gateway_insert ON {table} FOR INSERT TO rota_gateway WITH CHECK ({writable})"
        )
    for command in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE POLICY gateway_{command.lower()} ON calendars FOR {command} TO rota_gateway"
            f" USING ({writable})"
        )
    for table in ("job_timers", "job_statistics"):
        op.execute(f"DROP POLICY gateway_select ON {table}")
        op.execute(f"CREATE POLICY gateway_select ON {table} FOR SELECT TO rota_gateway USING ({visible})")
    _create_auditor()


def _create_auditor() -> None:
    """What the gateway becomes to look at the ledgers of all tenants, in a transaction that can only read."""
    op.execute("""
        DO $$ BEGIN
            CREATE ROLE rota_auditor NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
    """)
    # Not inherited: as itself, the gateway is under its own policies only.
    op.execute("GRANT rota_auditor TO rota_gateway WITH INHERIT FALSE, SET TRUE")
    op.execute("GRANT USAGE ON SCHEMA public TO rota_auditor")
    for table in ("scheduled_jobs", "job_revisions", "job_timers", "occurrences"):
        op.execute(f"GRANT SELECT ON {table} TO rota_auditor")
        op.execute(f"CREATE POLICY auditor ON {table} FOR SELECT TO rota_auditor USING (true)")
