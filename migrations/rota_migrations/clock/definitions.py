"""What people define: the whole schedule of a job, calendars, earlier definitions, cancellations."""

from alembic import op

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


def extend_definitions() -> None:
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


def create_calendars() -> None:
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


def create_revisions() -> None:
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


def create_cancellations() -> None:
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


def touch_trigger() -> None:
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
