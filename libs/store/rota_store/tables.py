"""Every table of Rota, with the service that writes it.

The types and constraints here are the reading copy; `migrations/` creates them and a test compares
the two. All instants are `timestamptz`.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import UserDefinedType

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class TransactionId(UserDefinedType[int]):
    """PostgreSQL's xid8, the id of a transaction that never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


def _id(name: str = "id") -> Column[Any]:
    return Column(name, Uuid, primary_key=True, server_default=text("gen_random_uuid()"))


def _instant(name: str, *, now: bool = False, nullable: bool | None = None) -> Column[Any]:
    default = text("now()") if now else None
    return Column(
        name,
        DateTime(timezone=True),
        server_default=default,
        nullable=(not now) if nullable is None else nullable,
    )


def _context(*, nullable: bool = False) -> Column[Any]:
    return Column("context_id", Uuid, ForeignKey("contexts.id", ondelete="CASCADE"), nullable=nullable)


def _held_context() -> Column[Any]:
    """As `_context`, for tables that take hundreds of rows at once.

    A trigger per statement holds each context once, where a foreign key would once per row.
    """
    return Column("context_id", Uuid, nullable=False)


def _required(name: str, kind: Any = Text, default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


CHANNELS = ("email", "telegram", "webhook")
RUN_STATUSES = ("success", "error", "partial")
TRIGGERS = ("schedule", "manual", "backfill")

# ---- definitions: written by the gateway ----------------------------------------------------------

contexts = Table(
    "contexts",
    metadata,
    _id(),
    _required("name"),
    _required("max_concurrent_runs", Integer, "3"),
    _required("min_period_seconds", Integer, "60"),
    # Hosts that tools may reach though they are at no public address; only administrators change them.
    _required("allowed_hosts", ARRAY(Text), "'{}'"),
    _instant("created_at", now=True),
    _instant("updated_at", now=True),
    UniqueConstraint("name"),
    CheckConstraint("length(name) BETWEEN 1 AND 255", name="name_length"),
    CheckConstraint("max_concurrent_runs BETWEEN 1 AND 1000", name="max_concurrent_runs"),
    CheckConstraint("min_period_seconds BETWEEN 1 AND 86400", name="min_period_seconds"),
    CheckConstraint("cardinality(allowed_hosts) <= 100", name="allowed_hosts_count"),
)

users = Table(
    "users",
    metadata,
    _id(),
    _required("email"),
    _required("display_name", default="''"),
    _required("is_admin", Boolean, "false"),
    _instant("created_at", now=True),
    UniqueConstraint("email"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("context_id", Uuid, ForeignKey("contexts.id", ondelete="CASCADE")),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE")),
    _required("role"),
    _instant("created_at", now=True),
    PrimaryKeyConstraint("context_id", "user_id"),
    _one_of("role", "owner", "editor", "viewer"),
    Index("ix_memberships_user_id", "user_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    _required("name"),
    _required("prefix"),
    _required("key_hash", LargeBinary),
    _instant("created_at", now=True),
    _instant("last_used_at"),
    _instant("expires_at"),
    _instant("revoked_at"),
    UniqueConstraint("key_hash"),
    Index("ix_api_keys_user_id", "user_id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    _instant("created_at", now=True),
    _instant("expires_at", nullable=False),
    Index("ix_sessions_user_id", "user_id"),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    _instant("created_at", now=True),
    _instant("expires_at", nullable=False),
    _instant("used_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE")),
    Column("key", Text),
    _required("request_hash", LargeBinary),
    Column("status", Integer),
    Column("body", LargeBinary),
    _instant("created_at", now=True),
    PrimaryKeyConstraint("user_id", "key"),
)

agent_configurations = Table(
    "agent_configurations",
    metadata,
    _id(),
    _context(nullable=True),
    _required("name"),
    _required("description", default="''"),
    _required("model"),
    _required("fallback_models", JSONB, "'[]'"),
    _required("system_prompt"),
    _required("model_settings", JSONB, "'{}'"),
    # Few-shot turns: [{"input": …, "output": …}]
    _required("examples", JSONB, "'[]'"),
    # conversation: one exchange about the prompt; per_fact: one exchange for each prefetched fact
    _required("style", default="'conversation'"),
    # numbers: every number of the answer must stand in what the tools or the prompt said
    _required("grounding", default="'none'"),
    _required("limits", JSONB, "'{}'"),
    # At most so many runs of it at once, in each context.
    Column("max_concurrent_runs", Integer),
    _required("revision", Integer, "1"),
    # SHA-256 of an agent as it was shipped: while the row still is that, an upgrade may change it.
    Column("shipped_hash", LargeBinary),
    _instant("created_at", now=True),
    _instant("updated_at", now=True),
    UniqueConstraint("context_id", "name", postgresql_nulls_not_distinct=True),
    _one_of("style", "conversation", "per_fact"),
    _one_of("grounding", "none", "numbers"),
    CheckConstraint("max_concurrent_runs BETWEEN 1 AND 1000", name="max_concurrent_runs"),
)

agent_tools = Table(
    "agent_tools",
    metadata,
    Column("agent_id", Uuid, ForeignKey("agent_configurations.id", ondelete="CASCADE")),
    Column("tool_name", Text),
    _required("mode", default="'model'"),
    # None: what the tool's annotation says when the run begins.
    Column("policy", Text),
    _required("arguments", JSONB, "'{}'"),
    _required("position", Integer, "0"),
    PrimaryKeyConstraint("agent_id", "tool_name"),
    _one_of("mode", "model", "prefetch"),
    _one_of("policy", "auto", "ask", "deny"),
    CheckConstraint("mode = 'model' OR policy <> 'ask'", name="prefetch_never_asks"),
)

# Each save of an agent. They outlive it, and an agent made anew under its name goes on counting: a run names
# its agent and the revision, and that is one definition for ever.
agent_revisions = Table(
    "agent_revisions",
    metadata,
    Column("agent_id", Uuid),
    Column("revision", Integer),
    _context(nullable=True),
    _required("name"),
    # Everything that a save can change, the linked tools too.
    _required("definition", JSONB),
    Column("created_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    _instant("created_at", now=True),
    PrimaryKeyConstraint("agent_id", "revision"),
    UniqueConstraint("context_id", "name", "revision", postgresql_nulls_not_distinct=True),
)

# Days on which jobs that name the calendar do not run.
calendars = Table(
    "calendars",
    metadata,
    _id(),
    _context(),
    _required("name"),
    _required("dates", ARRAY(Date), "'{}'"),
    _instant("created_at", now=True),
    _instant("updated_at", now=True),
    UniqueConstraint("context_id", "name"),
    CheckConstraint("length(name) BETWEEN 1 AND 255", name="name_length"),
    CheckConstraint("cardinality(dates) <= 5000", name="dates_count"),
)

scheduled_jobs = Table(
    "scheduled_jobs",
    metadata,
    _id(),
    _context(),
    Column("owner_id", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    _required("name"),
    Column("description", Text),
    _required("cron_expression"),
    _required("seconds_field", Boolean, "false"),
    _required("timezone", default="'UTC'"),
    _required("dst_gap", default="'shift'"),
    _required("dst_repeat", default="'first'"),
    _instant("start_at"),
    _instant("end_at"),
    Column("max_runs", Integer),
    _required("jitter_seconds", Integer, "0"),
    # Days in the job's zone, and single instants, that are left out.
    _required("excluded_dates", ARRAY(Date), "'{}'"),
    _required("excluded_instants", ARRAY(DateTime(timezone=True)), "'{}'"),
    # Names of calendars of the context, and their days as the gateway resolved them.
    _required("calendars", ARRAY(Text), "'{}'"),
    _required("calendar_dates", ARRAY(Date), "'{}'"),
    _required("agent_name", default="'orchestrator'"),
    _required("skill_prompt", default="''"),
    # Instead of an agent: one call of this tool, without a model.
    Column("tool", Text),
    _required("arguments", JSONB, "'{}'"),
    _required("is_enabled", Boolean, "true"),
    Column("pause_reason", Text),
    Column("paused_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    # Still enabled, but what is due before this instant does not run.
    _instant("paused_until"),
    # What becomes of the instants of a pause when it ends.
    _required("resume_catch_up", default="'none'"),
    # When a person last enabled it: ends a pause that the ticker ordered before.
    _instant("resumed_at"),
    Column("notification_channel", Text),
    Column("notification_target", Text),
    _required("timeout_seconds", Integer, "300"),
    _required("max_retries", Integer, "0"),
    _required("retry_backoff", default="'fixed'"),
    _required("retry_backoff_seconds", Integer, "30"),
    _required("retry_backoff_max_seconds", Integer, "3600"),
    _required("overlap_policy", default="'skip'"),
    _required("catch_up_policy", default="'latest'"),
    _required("catch_up_window_seconds", Integer, "3600"),
    _required("catch_up_max_runs", Integer, "100"),
    _required("priority", SmallInteger, "5"),
    Column("queue_ttl_seconds", Integer),
    Column("auto_pause_after", Integer),
    # Since when the clock goes by this definition; set by a trigger.
    _instant("schedule_since", now=True),
    # Grows with every change; together with changed_xid it is set by a trigger.
    _required("generation", BigInteger, "1"),
    _required("changed_xid", TransactionId, "pg_current_xact_id()"),
    _instant("created_at", now=True),
    _instant("updated_at", now=True),
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
    CheckConstraint("end_at > start_at", name="window"),
    CheckConstraint(
        "(notification_channel IS NULL) = (notification_target IS NULL)", name="channel_with_target"
    ),
    _one_of("notification_channel", *CHANNELS),
    _one_of("dst_gap", "shift", "skip"),
    _one_of("dst_repeat", "first", "both"),
    _one_of("overlap_policy", "skip", "buffer_one", "allow", "cancel_other"),
    _one_of("catch_up_policy", "latest", "all", "skip"),
    _one_of("resume_catch_up", "none", "latest", "all"),
    _one_of("retry_backoff", "fixed", "exponential"),
    Index("ix_scheduled_jobs_changed_xid", "changed_xid"),
)

# Definitions that the clock went by before: what was due then is still to be accounted for. Written by a
# trigger, with the rights of whoever changes the job.
job_revisions = Table(
    "job_revisions",
    metadata,
    Column("job_id", Uuid, ForeignKey("scheduled_jobs.id", ondelete="CASCADE")),
    Column("generation", BigInteger),
    _context(),
    _required("valid_from", DateTime(timezone=True)),
    _required("valid_until", DateTime(timezone=True)),
    # The row of scheduled_jobs as it was.
    _required("definition", JSONB),
    PrimaryKeyConstraint("job_id", "generation"),
    Index("ix_job_revisions_context_id", "context_id"),
    Index("ix_job_revisions_valid_until", "valid_until"),
)

run_requests = Table(
    "run_requests",
    metadata,
    _id("run_id"),
    Column("job_id", Uuid, ForeignKey("scheduled_jobs.id", ondelete="CASCADE"), nullable=False),
    _context(),
    Column("requested_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    _required("prompt_context", default="''"),
    _required("trigger", default="'manual'"),
    # Of a backfill: the instant that is run late.
    _instant("scheduled_for"),
    # Instead of the job's own.
    Column("overlap_policy", Text),
    _required("changed_xid", TransactionId, "pg_current_xact_id()"),
    _instant("created_at", now=True),
    _one_of("trigger", "manual", "backfill"),
    _one_of("overlap_policy", "skip", "buffer_one", "allow", "cancel_other", "queue"),
    CheckConstraint("(trigger = 'backfill') = (scheduled_for IS NOT NULL)", name="backfill_with_instant"),
    Index("ix_run_requests_changed_xid", "changed_xid"),
    Index("ix_run_requests_job_id", "job_id"),
    Index("ix_run_requests_created_at", "created_at"),
)

run_cancellations = Table(
    "run_cancellations",
    metadata,
    _id("run_id"),
    _context(),
    _required("job_id", Uuid),
    _required("scheduled_for", DateTime(timezone=True)),
    Column("requested_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    _required("reason", default="''"),
    _required("changed_xid", TransactionId, "pg_current_xact_id()"),
    _instant("created_at", now=True),
    Index("ix_run_cancellations_changed_xid", "changed_xid"),
    Index("ix_run_cancellations_context_id", "context_id"),
    Index("ix_run_cancellations_created_at", "created_at"),
)

# How far the gateway has come in comparing the ledger with the definitions: a row for each time through.
ledger_audits = Table(
    "ledger_audits",
    metadata,
    Column("started_at", DateTime(timezone=True), primary_key=True, server_default=text("clock_timestamp()")),
    # What was due after this instant is looked at.
    _required("since", DateTime(timezone=True)),
    # Jobs are taken in the order of their ids, and no batch before its time.
    Column("after_job_id", Uuid),
    _required("next_batch_at", DateTime(timezone=True), "clock_timestamp()"),
    _required("jobs", BigInteger, "0"),
    _required("unaccounted_jobs", BigInteger, "0"),
    _required("unaccounted_instants", BigInteger, "0"),
    _required("behind_jobs", BigInteger, "0"),
    _instant("completed_at"),
    Index(
        "uq_ledger_audits_under_way",
        text("(completed_at IS NULL)"),
        unique=True,
        postgresql_where=text("completed_at IS NULL"),
    ),
)

# What a person, or nobody in time, said to a call that waited.
approval_decisions = Table(
    "approval_decisions",
    metadata,
    Column("action_id", Uuid, primary_key=True),
    _required("run_id", Uuid),
    _context(),
    _required("decision"),
    # Instead of those that the model gave.
    Column("arguments", JSONB),
    _required("note", default="''"),
    Column("decided_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    Column("decided_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    _one_of("decision", "approved", "denied"),
    CheckConstraint("arguments IS NULL OR decision = 'approved'", name="arguments_of_what_is_approved"),
    Index("ix_approval_decisions_run_id", "run_id"),
    Index("ix_approval_decisions_context_id", "context_id"),
)

# Attempts that parked and whose calls are all decided upon: the run goes on.
run_resumptions = Table(
    "run_resumptions",
    metadata,
    Column("run_id", Uuid),
    Column("attempt", Integer),
    _context(),
    _required("scheduled_for", DateTime(timezone=True)),
    _required("changed_xid", TransactionId, "pg_current_xact_id()"),
    _instant("created_at", now=True),
    PrimaryKeyConstraint("run_id", "attempt"),
    Index("ix_run_resumptions_changed_xid", "changed_xid"),
    Index("ix_run_resumptions_context_id", "context_id"),
)

notification_reads = Table(
    "notification_reads",
    metadata,
    Column("notification_id", Uuid, ForeignKey("notifications.id", ondelete="CASCADE")),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE")),
    _instant("read_at", now=True),
    PrimaryKeyConstraint("notification_id", "user_id"),
)

# ---- the clock and the ledger: written by the ticker ------------------------------------------------

job_timers = Table(
    "job_timers",
    metadata,
    Column("job_id", Uuid, ForeignKey("scheduled_jobs.id", ondelete="CASCADE"), primary_key=True),
    _required("context_id", Uuid),
    _required("planned_generation", BigInteger),
    # Every instant up to this one is in the ledger.
    _required("accounted_until", DateTime(timezone=True)),
    _instant("next_run_at"),
    # When the ticker must look again: next_run_at and its jitter, or the end of a pause.
    _instant("wake_at"),
    # Among those that wake at the same instant.
    _required("turn", Integer, "0"),
    # Towards max_runs and auto_pause_after.
    _required("runs", Integer, "0"),
    _required("failures_in_a_row", Integer, "0"),
    # Set when the ticker itself paused the job.
    _instant("paused_at"),
    Column("pause_reason", Text),
    # Why this job cannot be planned, for people.
    Column("error", Text),
    Index("ix_job_timers_wake_at", "wake_at", "turn", postgresql_where=text("wake_at IS NOT NULL")),
)

# Events whose publication is not confirmed and that no other row would have said again: of each transaction
# of the ticker one row, with what it closed and paused.
unpublished_events = Table(
    "unpublished_events",
    metadata,
    _id(),
    Column("types", ARRAY(Text), nullable=False),
    Column("payloads", ARRAY(Text), nullable=False),
    _instant("created_at", now=True),
)

occurrences = Table(
    "occurrences",
    metadata,
    # Of a scheduled one it follows from job and instant: the primary key makes it happen once.
    Column("run_id", Uuid),
    # No foreign key: the ledger outlives the job.
    _required("job_id", Uuid),
    _held_context(),
    Column("scheduled_for", DateTime(timezone=True)),
    _required("effective_at", DateTime(timezone=True)),
    _required("trigger"),
    _required("state"),
    Column("disposition", Text),
    # For machines and for people.
    Column("reason_code", Text),
    Column("reason", Text),
    # A row may stand for a range of instants: how many, and the last of them.
    _required("instants", Integer, "1"),
    _instant("last_instant"),
    # The run that a coalesced range went into; of that run, how many instants it stands for and the first.
    Column("coalesced_into", Uuid),
    _required("stands_for", Integer, "1"),
    _instant("first_instant"),
    _required("attempt", Integer, "1"),
    _required("failures", Integer, "0"),
    _required("losses", Integer, "0"),
    # The attempt that waited for a person, and that those after it go on from.
    Column("resumes", Integer),
    _required("priority", SmallInteger, "5"),
    # Waits until no other run of its job is dispatched.
    _required("is_exclusive", Boolean, "true"),
    Column("requested_by", Uuid),
    _required("prompt_context", default="''"),
    # Before this it is not dispatched (the backoff of a retry), after that it is not begun any more.
    _instant("not_before", now=True),
    _instant("expires_at"),
    # When these two were written, unless with the row: of a retry, and after the clock was set back.
    _instant("queued_at"),
    _instant("dispatched_at"),
    # When it is looked whether anybody has begun what was dispatched.
    _instant("check_at"),
    _instant("cancelled_at"),
    Column("cancel_reason", Text),
    _instant("started_at"),
    _instant("closed_at"),
    _instant("created_at", now=True),
    PrimaryKeyConstraint("run_id", "scheduled_for"),
    _one_of("trigger", *TRIGGERS),
    _one_of("state", "queued", "dispatched", "closed"),
    _one_of("disposition", "ran", "skipped", "missed", "coalesced", "suppressed"),
    CheckConstraint(
        "(state = 'closed') = (disposition IS NOT NULL) AND (state = 'closed') = (closed_at IS NOT NULL)",
        name="closed_with_disposition",
    ),
    CheckConstraint(
        "instants >= 1 AND stands_for >= 1 AND attempt >= 1 AND failures >= 0 AND losses >= 0", name="counts"
    ),
    Index("ix_occurrences_job_id", "job_id", text("scheduled_for DESC")),
    Index("ix_occurrences_open", "job_id", postgresql_where=text("closed_at IS NULL")),
    Index(
        "ix_occurrences_queued",
        "context_id",
        "priority",
        "effective_at",
        "run_id",
        postgresql_where=text("state = 'queued'"),
    ),
    Index("ix_occurrences_dispatched", "context_id", postgresql_where=text("state = 'dispatched'")),
    Index(
        "ix_occurrences_waiting",
        "not_before",
        postgresql_where=text("state = 'queued' AND attempt > 1"),
    ),
    Index(
        "ix_occurrences_expiring",
        "expires_at",
        postgresql_where=text("state = 'queued' AND expires_at IS NOT NULL"),
    ),
    Index("ix_occurrences_ranges", "last_instant", postgresql_where=text("instants > 1")),
    Index("ix_occurrences_context_id", "context_id"),
    postgresql_partition_by="RANGE (scheduled_for)",
)

# ---- what there is to link: written by the executor -------------------------------------------------

# Each executor says again and again what it has; what none has said for a while is gone.
tools = Table(
    "tools",
    metadata,
    Column("name", Text, primary_key=True),
    _required("description"),
    _required("effect"),
    _required("parameters", JSONB, "'{}'"),
    _required("idempotent", Boolean, "false"),
    _required("open_world", Boolean, "false"),
    _required("transactional", Boolean, "false"),
    Column("timeout_seconds", Double),
    Column("default_policy", Text),
    # `rota`, or the package or module that adds it.
    _required("source", default="'rota'"),
    _instant("announced_at", now=True),
    _one_of("effect", "read", "write"),
    _one_of("default_policy", "auto", "ask", "deny"),
    CheckConstraint("timeout_seconds > 0", name="timeout_seconds"),
)

model_providers = Table(
    "model_providers",
    metadata,
    Column("name", Text, primary_key=True),
    _instant("announced_at", now=True),
)

# ---- attempts: written by the executor --------------------------------------------------------------

# The lease of an executor for all the attempts that it holds. A ticker may shorten it to `notice` from then,
# and ends it when it is over, with functions; an ended one is deleted when nothing of it is open any more.
executors = Table(
    "executors",
    metadata,
    Column("id", Text, primary_key=True),
    _required("lease_until", DateTime(timezone=True)),
    _required("notice", Interval),
    _instant("started_at", now=True),
    _instant("ended_at"),
)

run_attempts = Table(
    "run_attempts",
    metadata,
    Column("run_id", Uuid),
    Column("attempt", Integer),
    _held_context(),
    _required("job_id", Uuid),
    _required("executor"),
    _required("state"),
    _required("session_id", Uuid),
    _instant("started_at", now=True),
    _instant("ended_at"),
    # job.completed as it is published.
    Column("outcome", JSONB),
    # The messages of the conversation: [{"role": …, "content": …}]
    Column("transcript", JSONB),
    # Of an attempt that parked: what the agent runtime goes on from.
    Column("checkpoint", Text),
    PrimaryKeyConstraint("run_id", "attempt"),
    _one_of("state", "running", "released", "ended"),
    CheckConstraint(
        "(state = 'ended') = (outcome IS NOT NULL) AND (state = 'ended') = (ended_at IS NOT NULL)",
        name="ended_with_outcome",
    ),
    Index("ix_run_attempts_executor", "executor", "state", postgresql_where=text("state <> 'ended'")),
    # For sweeps over what ended lately, and for what is old.
    Index("ix_run_attempts_ended_at", "ended_at", postgresql_where=text("state = 'ended'")),
)

# A call that writes is entered before it is made, closed after, and never made again by itself.
tool_effects = Table(
    "tool_effects",
    metadata,
    Column("run_id", Uuid),
    Column("attempt", Integer),
    Column("call_id", Text),
    _context(),
    _required("tool_name"),
    _required("state"),
    _instant("started_at", now=True),
    _instant("ended_at"),
    PrimaryKeyConstraint("run_id", "attempt", "call_id"),
    _one_of("state", "started", "done", "failed"),
    Index("ix_tool_effects_context_id", "context_id"),
)

# What a run wants people told. A notification takes its id: told once, however often it is read.
notification_requests = Table(
    "notification_requests",
    metadata,
    Column("id", Uuid, primary_key=True),
    _context(),
    _required("job_id", Uuid),
    _required("run_id", Uuid),
    _required("title"),
    _required("body"),
    _instant("created_at", now=True),
    CheckConstraint("length(title) <= 200 AND length(body) <= 4000", name="lengths"),
    Index("ix_notification_requests_context_id", "context_id"),
    Index("ix_notification_requests_run_id", "run_id"),
    Index("ix_notification_requests_created_at", "created_at"),
)

# What runs of a job note for those after them, each with the outcome of the run that noted it. No foreign key
# to the job: a run that ends when its job has just been deleted still ends; a trigger drops the notes.
job_notebooks = Table(
    "job_notebooks",
    metadata,
    Column("job_id", Uuid),
    Column("key", Text),
    _context(),
    _required("value"),
    _required("run_id", Uuid),
    _instant("updated_at", now=True),
    PrimaryKeyConstraint("job_id", "key"),
    CheckConstraint("length(key) BETWEEN 1 AND 100 AND length(value) <= 10000", name="lengths"),
    Index("ix_job_notebooks_context_id", "context_id"),
)

# Outcomes whose publication is not confirmed; narrow, so that confirming does not write the outcome again.
unpublished_outcomes = Table(
    "unpublished_outcomes",
    metadata,
    Column("run_id", Uuid),
    Column("attempt", Integer),
    _instant("created_at", now=True),
    PrimaryKeyConstraint("run_id", "attempt"),
)

# ---- the record: written by results -----------------------------------------------------------------

agent_execution_results = Table(
    "agent_execution_results",
    metadata,
    _id("run_id"),
    _held_context(),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    # Null once the job is deleted; held by a trigger as the context is.
    Column("schedule_id", Uuid),
    _required("job_name"),
    _required("agent_name"),
    Column("agent_revision", Integer),
    _required("prompt"),
    _required("result_content", default="''"),
    _required("status"),
    Column("error_kind", Text),
    Column("error_message", Text),
    _required("pending_actions_created", Integer, "0"),
    _required("execution_duration_ms", BigInteger),
    _required("metadata", JSONB, "'{}'"),
    _required("usage", JSONB, "'{}'"),
    _required("attempt", Integer),
    _required("trigger"),
    _required("session_id", Uuid),
    _required("scheduled_for", DateTime(timezone=True)),
    _required("started_at", DateTime(timezone=True)),
    _required("completed_at", DateTime(timezone=True)),
    _instant("created_at", now=True),
    _one_of("status", *RUN_STATUSES),
    _one_of("trigger", *TRIGGERS),
    CheckConstraint("length(result_content) <= 50000", name="result_content_length"),
    CheckConstraint("pending_actions_created >= 0 AND execution_duration_ms >= 0", name="counts"),
    Index(
        "ix_agent_execution_results_user_id",
        "user_id",
        text("created_at DESC"),
        postgresql_where=text("user_id IS NOT NULL"),
    ),
    Index("ix_agent_execution_results_schedule_id", "schedule_id", text("created_at DESC")),
    Index("ix_agent_execution_results_context_id", "context_id", text("created_at DESC")),
    Index("ix_agent_execution_results_created_at", text("created_at DESC"), text("run_id DESC")),
)

# Results that result.recorded was not confirmed for: of each batch one row.
unannounced_results = Table(
    "unannounced_results",
    metadata,
    _id(),
    Column("run_ids", ARRAY(Uuid), nullable=False),
    _instant("created_at", now=True),
)

job_statistics = Table(
    "job_statistics",
    metadata,
    # Held by a trigger, once per statement.
    Column("job_id", Uuid, primary_key=True),
    _required("context_id", Uuid),
    _required("run_count", BigInteger, "0"),
    _required("error_count", BigInteger, "0"),
    _required("consecutive_failures", Integer, "0"),
    Column("last_run_id", Uuid),
    _instant("last_run_at"),
    Column("last_run_status", Text),
    Column("last_run_result", Text),
    Column("last_run_duration_ms", BigInteger),
    _one_of("last_run_status", *RUN_STATUSES),
    CheckConstraint("length(last_run_result) <= 2000", name="last_run_result_length"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("session_id", Uuid, primary_key=True),
    _context(),
    _required("run_id", Uuid),
    _required("agent_name"),
    _instant("created_at", now=True),
    Index("ix_conversations_run_id", "run_id"),
    Index("ix_conversations_context_id", "context_id"),
)

conversation_messages = Table(
    "conversation_messages",
    metadata,
    Column("session_id", Uuid, ForeignKey("conversations.session_id", ondelete="CASCADE")),
    Column("position", Integer),
    _required("role"),
    _required("content"),
    _instant("created_at", now=True),
    PrimaryKeyConstraint("session_id", "position"),
    _one_of("role", "system", "user", "assistant", "tool"),
)

pending_actions = Table(
    "pending_actions",
    metadata,
    _id(),
    _context(),
    Column("run_id", Uuid, ForeignKey("agent_execution_results.run_id", ondelete="CASCADE"), nullable=False),
    _required("tool_call_id"),
    _required("tool_name"),
    _required("arguments", JSONB, "'{}'"),
    _required("status", default="'pending'"),
    _instant("expires_at"),
    _instant("created_at", now=True),
    UniqueConstraint("run_id", "tool_call_id"),
    _one_of("status", "pending", "approved", "denied", "expired"),
    Index("ix_pending_actions_expiring", "expires_at", postgresql_where=text("status = 'pending'")),
    Index("ix_pending_actions_context_id", "context_id", text("created_at DESC")),
)

# ---- telling people: written by the notifier --------------------------------------------------------

notifications = Table(
    "notifications",
    metadata,
    _id(),
    _held_context(),
    _required("run_id", Uuid),
    Column("job_id", Uuid),
    # A run that waited for a person and went on is told of again.
    _required("attempt", Integer, "1"),
    _required("category"),
    _required("title"),
    _required("body", default="''"),
    _instant("created_at", now=True),
    _one_of("category", "success", "error", "approval_needed", "paused", "message"),
    Index(
        "uq_notifications_run_id_category_attempt",
        "run_id",
        "category",
        "attempt",
        unique=True,
        postgresql_where=text("category <> 'message'"),
    ),
    Index("ix_notifications_context_id", "context_id", text("created_at DESC")),
    Index("ix_notifications_created_at", text("created_at DESC"), text("id DESC")),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("notification_id", Uuid),
    Column("channel", Text),
    _context(),
    Column("target", Text),
    _required("state", default="'pending'"),
    Column("reason", Text),
    _required("attempts", Integer, "0"),
    _instant("next_attempt_at", now=True),
    # Held by the process that sends, so that two never do.
    _instant("lease_until"),
    _instant("announced_at"),
    _instant("created_at", now=True),
    _instant("updated_at", now=True),
    PrimaryKeyConstraint("notification_id", "channel"),
    ForeignKeyConstraint(["notification_id"], ["notifications.id"], ondelete="CASCADE"),
    _one_of("channel", *CHANNELS),
    _one_of("state", "pending", "delivered", "failed", "unknown", "suppressed"),
    Index("ix_deliveries_pending", "next_attempt_at", postgresql_where=text("state = 'pending'")),
    Index(
        "ix_deliveries_unannounced",
        "updated_at",
        postgresql_where=text("state <> 'pending' AND announced_at IS NULL"),
    ),
    Index("ix_deliveries_context_id", "context_id"),
)
