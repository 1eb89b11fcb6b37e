"""Jobs, what they were before, and the days that they leave out. Written by the gateway."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from rota_store.tables.columns import (
    CHANNELS,
    EXPIRY_ACTIONS,
    TransactionId,
    identity,
    instant,
    metadata,
    of_context,
    one_of,
    required,
)

# Days on which jobs that name the calendar do not run.
calendars = Table(
    "calendars",
    metadata,
    identity(),
    of_context(),
    required("name"),
    required("dates", ARRAY(Date), "'{}'"),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    UniqueConstraint("context_id", "name"),
    CheckConstraint("length(name) BETWEEN 1 AND 255", name="name_length"),
    CheckConstraint("cardinality(dates) <= 5000", name="dates_count"),
)

scheduled_jobs = Table(
    "scheduled_jobs",
    metadata,
    identity(),
    of_context(),
    Column("owner_id", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    required("name"),
    Column("description", Text),
    required("cron_expression"),
    required("seconds_field", Boolean, "false"),
    required("timezone", default="'UTC'"),
    required("dst_gap", default="'shift'"),
    required("dst_repeat", default="'first'"),
    instant("start_at"),
    instant("end_at"),
    Column("max_runs", Integer),
    required("jitter_seconds", Integer, "0"),
    # Days in the job's zone, and single instants, that are left out.
    required("excluded_dates", ARRAY(Date), "'{}'"),
    required("excluded_instants", ARRAY(DateTime(timezone=True)), "'{}'"),
    # Names of calendars of the context, and their days as the gateway resolved them.
    required("calendars", ARRAY(Text), "'{}'"),
    required("calendar_dates", ARRAY(Date), "'{}'"),
    required("agent_name", default="'orchestrator'"),
    required("skill_prompt", default="''"),
    # Instead of an agent: one call of this tool, without a model.
    Column("tool", Text),
    required("arguments", JSONB, "'{}'"),
    required("is_enabled", Boolean, "true"),
    Column("pause_reason", Text),
    Column("paused_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    # Still enabled, but what is due before this instant does not run.
    instant("paused_until"),
    # What becomes of the instants of a pause when it ends.
    required("resume_catch_up", default="'none'"),
    # When a person last enabled it: ends a pause that the ticker ordered before.
    instant("resumed_at"),
    Column("notification_channel", Text),
    Column("notification_target", Text),
    required("timeout_seconds", Integer, "300"),
    required("max_retries", Integer, "0"),
    required("retry_backoff", default="'fixed'"),
    required("retry_backoff_seconds", Integer, "30"),
    required("retry_backoff_max_seconds", Integer, "3600"),
    required("overlap_policy", default="'skip'"),
    required("catch_up_policy", default="'latest'"),
    required("catch_up_window_seconds", Integer, "3600"),
    required("catch_up_max_runs", Integer, "100"),
    required("priority", SmallInteger, "5"),
    Column("queue_ttl_seconds", Integer),
    Column("auto_pause_after", Integer),
    # How long a call waits for a person, and what then becomes of its run; None: as the agent says.
    # What its runs know of those before them, and how much of it.
    required("continuity", default="'none'"),
    required("continuity_outcomes", Integer, "5"),
    required("continuity_max_chars", Integer, "20000"),
    Column("approval_expiry_seconds", Integer),
    Column("approval_expiry_action", Text),
    # Since when the clock goes by this definition; set by a trigger.
    instant("schedule_since", now=True),
    # Grows with every change; together with changed_xid it is set by a trigger.
    required("generation", BigInteger, "1"),
    required("changed_xid", TransactionId, "pg_current_xact_id()"),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    UniqueConstraint("context_id", "name"),
    CheckConstraint("length(name) BETWEEN 1 AND 255", name="name_length"),
    CheckConstraint("length(description) <= 1000", name="description_length"),
    CheckConstraint("length(cron_expression) <= 4200", name="cron_expression_length"),
    CheckConstraint("length(skill_prompt) <= 5000", name="skill_prompt_length"),
    CheckConstraint("timeout_seconds BETWEEN 30 AND 3600", name="timeout_seconds"),
    CheckConstraint("max_retries BETWEEN 0 AND 10", name="max_retries"),
    CheckConstraint("retry_backoff_seconds BETWEEN 1 AND 86400", name="retry_backoff_seconds"),
    CheckConstraint("retry_backoff_max_seconds BETWEEN 1 AND 86400", name="retry_backoff_max_seconds"),
    CheckConstraint("catch_up_max_runs BETWEEN 1 AND 1000", name="catch_up_max_runs"),
    CheckConstraint("queue_ttl_seconds >= 1", name="queue_ttl_seconds"),
    CheckConstraint("jsonb_typeof(arguments) = 'object'", name="arguments_by_name"),
    # What PostgreSQL holds and the services cannot: one such row would stop whoever reads it in a batch.
    CheckConstraint(
        "start_at >= '0001-01-02Z' AND start_at < '9999-12-30Z'"
        " AND end_at >= '0001-01-02Z' AND end_at < '9999-12-30Z'"
        " AND paused_until >= '0001-01-02Z' AND paused_until < '9999-12-30Z'",
        name="instants_on_calendar",
    ),
    CheckConstraint(
        "'0001-01-02Z' <= ALL (excluded_instants) AND '9999-12-30Z' > ALL (excluded_instants)"
        " AND '0001-01-02' <= ALL (excluded_dates) AND '9999-12-30' > ALL (excluded_dates)"
        " AND '0001-01-02' <= ALL (calendar_dates) AND '9999-12-30' > ALL (calendar_dates)",
        name="exclusions_on_calendar",
    ),
    CheckConstraint(
        "array_position(excluded_instants, NULL) IS NULL AND array_position(excluded_dates, NULL) IS NULL"
        " AND array_position(calendar_dates, NULL) IS NULL",
        name="exclusions_known",
    ),
    CheckConstraint("priority BETWEEN 1 AND 9", name="priority"),
    CheckConstraint("max_runs >= 1", name="max_runs"),
    CheckConstraint("jitter_seconds >= 0", name="jitter_seconds"),
    CheckConstraint("catch_up_window_seconds >= 0", name="catch_up_window_seconds"),
    CheckConstraint("auto_pause_after >= 1", name="auto_pause_after"),
    one_of("continuity", "none", "last_outcome", "last_n_outcomes", "conversation"),
    CheckConstraint("continuity_outcomes BETWEEN 1 AND 20", name="continuity_outcomes"),
    CheckConstraint("continuity_max_chars BETWEEN 1000 AND 200000", name="continuity_max_chars"),
    CheckConstraint("approval_expiry_seconds BETWEEN 60 AND 2592000", name="approval_expiry_seconds"),
    CheckConstraint("end_at > start_at", name="window"),
    CheckConstraint(
        "(notification_channel IS NULL) = (notification_target IS NULL)", name="channel_with_target"
    ),
    one_of("notification_channel", *CHANNELS),
    one_of("dst_gap", "shift", "skip"),
    one_of("dst_repeat", "first", "both"),
    one_of("overlap_policy", "skip", "buffer_one", "allow", "cancel_other"),
    one_of("catch_up_policy", "latest", "all", "skip"),
    one_of("resume_catch_up", "none", "latest", "all"),
    one_of("retry_backoff", "fixed", "exponential"),
    one_of("approval_expiry_action", *EXPIRY_ACTIONS),
    Index("ix_scheduled_jobs_changed_xid", "changed_xid"),
)

# Definitions that the clock went by before: what was due then is still to be accounted for. Written by a
# trigger, with the rights of whoever changes the job.
job_revisions = Table(
    "job_revisions",
    metadata,
    Column("job_id", Uuid, ForeignKey("scheduled_jobs.id", ondelete="CASCADE")),
    Column("generation", BigInteger),
    of_context(),
    required("valid_from", DateTime(timezone=True)),
    required("valid_until", DateTime(timezone=True)),
    # The row of scheduled_jobs as it was.
    required("definition", JSONB),
    PrimaryKeyConstraint("job_id", "generation"),
    Index("ix_job_revisions_context_id", "context_id"),
    Index("ix_job_revisions_valid_until", "valid_until"),
)

# Since when runs of a job know nothing of those before.
job_continuity_resets = Table(
    "job_continuity_resets",
    metadata,
    Column("job_id", Uuid, ForeignKey("scheduled_jobs.id", ondelete="CASCADE"), primary_key=True),
    of_context(),
    required("reset_at", DateTime(timezone=True), "clock_timestamp()"),
    Index("ix_job_continuity_resets_context_id", "context_id"),
)
