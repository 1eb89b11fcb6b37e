"""What there is to link, and what becomes of runs while they go on. Written by the executor."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    Interval,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from rota_store.tables.columns import (
    TransactionId,
    held_context,
    identity,
    instant,
    metadata,
    of_context,
    one_of,
    required,
)

# Each executor says again and again what it has; what none has said for a while is gone.
tools = Table(
    "tools",
    metadata,
    Column("name", Text, primary_key=True),
    required("description"),
    required("effect"),
    required("parameters", JSONB, "'{}'"),
    required("idempotent", Boolean, "false"),
    required("open_world", Boolean, "false"),
    required("transactional", Boolean, "false"),
    Column("timeout_seconds", Double),
    Column("default_policy", Text),
    # `rota`, or the package or module that adds it.
    required("source", default="'rota'"),
    instant("announced_at", now=True),
    one_of("effect", "read", "write"),
    one_of("default_policy", "auto", "ask", "deny"),
    CheckConstraint("timeout_seconds > 0", name="timeout_seconds"),
)

model_providers = Table(
    "model_providers",
    metadata,
    Column("name", Text, primary_key=True),
    instant("announced_at", now=True),
)

# The lease of an executor for all the attempts that it holds. A ticker may shorten it to `notice` from then,
# and ends it when it is over, with functions; an ended one is deleted when nothing of it is open any more.
executors = Table(
    "executors",
    metadata,
    Column("id", Text, primary_key=True),
    required("lease_until", DateTime(timezone=True)),
    required("notice", Interval),
    # Of the transaction that wrote `lease_until`.
    Column("changed_xid", TransactionId, server_default=text("pg_current_xact_id()"), nullable=False),
    instant("started_at", now=True),
    instant("ended_at"),
)

run_attempts = Table(
    "run_attempts",
    metadata,
    Column("run_id", Uuid),
    Column("attempt", Integer),
    held_context(),
    required("job_id", Uuid),
    required("executor"),
    required("state"),
    required("session_id", Uuid),
    instant("started_at", now=True),
    instant("ended_at"),
    # job.completed as it is published.
    Column("outcome", JSONB),
    # The entries of the conversation: rota_contracts.transcript.
    Column("transcript", JSONB),
    # Of an attempt that parked: what the agent runtime goes on from.
    Column("checkpoint", Text),
    # What the run leaves to those of its job that come after it, where the job wants that: JSON.
    Column("carried", Text),
    # What it has spent while it goes on, by model, and when that was written.
    Column("spent", JSONB),
    instant("spent_at"),
    PrimaryKeyConstraint("run_id", "attempt"),
    one_of("state", "running", "released", "ended"),
    CheckConstraint(
        "(state = 'ended') = (outcome IS NOT NULL) AND (state = 'ended') = (ended_at IS NOT NULL)",
        name="ended_with_outcome",
    ),
    Index("ix_run_attempts_executor", "executor", "state", postgresql_where=text("state <> 'ended'")),
    Index(
        "ix_run_attempts_carried",
        "job_id",
        text("ended_at DESC"),
        postgresql_where=text("carried IS NOT NULL"),
    ),
    # Of those that go on, or never ended.
    Index(
        "ix_run_attempts_spent_at",
        "spent_at",
        postgresql_where=text("spent IS NOT NULL AND state <> 'ended'"),
    ),
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
    of_context(),
    required("tool_name"),
    required("state"),
    instant("started_at", now=True),
    instant("ended_at"),
    required("id", Uuid, "gen_random_uuid()"),
    # None where they are too large to be shown.
    Column("arguments", JSONB),
    PrimaryKeyConstraint("run_id", "attempt", "call_id"),
    UniqueConstraint("id"),
    one_of("state", "started", "done", "failed"),
    Index("ix_tool_effects_context_id", "context_id"),
    Index(
        "ix_tool_effects_open",
        "context_id",
        text("started_at DESC"),
        postgresql_where=text("state = 'started'"),
    ),
)

# Calls that a standing grant covered. The numbers of a grant's uses go up without a gap, and say how many
# there were; of old ones the last is kept.
grant_uses = Table(
    "grant_uses",
    metadata,
    Column("grant_id", Uuid, ForeignKey("approval_grants.id", ondelete="CASCADE")),
    Column("number", Integer),
    of_context(),
    required("run_id", Uuid),
    required("attempt", Integer),
    required("call_id"),
    Column("used_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    PrimaryKeyConstraint("grant_id", "number"),
    UniqueConstraint("run_id", "attempt", "call_id"),
    Index("ix_grant_uses_context_id", "context_id"),
    Index("ix_grant_uses_used_at", "used_at"),
)

# What a run wants people told. A notification takes its id: told once, however often it is read.
notification_requests = Table(
    "notification_requests",
    metadata,
    Column("id", Uuid, primary_key=True),
    of_context(),
    required("job_id", Uuid),
    required("run_id", Uuid),
    required("title"),
    required("body"),
    instant("created_at", now=True),
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
    of_context(),
    required("value"),
    required("run_id", Uuid),
    instant("updated_at", now=True),
    PrimaryKeyConstraint("job_id", "key"),
    CheckConstraint("length(key) BETWEEN 1 AND 100 AND length(value) <= 10000", name="lengths"),
    Index("ix_job_notebooks_context_id", "context_id"),
)

# Outcomes whose publication is not confirmed: of each batch that was written together one row.
unpublished_outcomes = Table(
    "unpublished_outcomes",
    metadata,
    identity(),
    Column("run_ids", ARRAY(Uuid), nullable=False),
    Column("attempts", ARRAY(Integer), nullable=False),
    instant("created_at", now=True),
)
