"""What people ask of runs, and what they have read; the audit of the ledger. Written by the gateway."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from rota_store.tables.columns import TransactionId, identity, instant, metadata, of_context, one_of, required

run_requests = Table(
    "run_requests",
    metadata,
    identity("run_id"),
    Column("job_id", Uuid, ForeignKey("scheduled_jobs.id", ondelete="CASCADE"), nullable=False),
    of_context(),
    Column("requested_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    required("prompt_context", default="''"),
    required("trigger", default="'manual'"),
    # Of a backfill: the instant that is run late.
    instant("scheduled_for"),
    # Instead of the job's own.
    Column("overlap_policy", Text),
    required("changed_xid", TransactionId, "pg_current_xact_id()"),
    instant("created_at", now=True),
    one_of("trigger", "manual", "backfill", "dry_run"),
    one_of("overlap_policy", "skip", "buffer_one", "allow", "cancel_other", "queue"),
    CheckConstraint("(trigger = 'backfill') = (scheduled_for IS NOT NULL)", name="backfill_with_instant"),
    Index("ix_run_requests_changed_xid", "changed_xid"),
    Index("ix_run_requests_job_id", "job_id"),
    Index("ix_run_requests_created_at", "created_at"),
)

run_cancellations = Table(
    "run_cancellations",
    metadata,
    identity("run_id"),
    of_context(),
    required("job_id", Uuid),
    required("scheduled_for", DateTime(timezone=True)),
    Column("requested_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    required("reason", default="''"),
    required("changed_xid", TransactionId, "pg_current_xact_id()"),
    instant("created_at", now=True),
    Index("ix_run_cancellations_changed_xid", "changed_xid"),
    Index("ix_run_cancellations_context_id", "context_id"),
    Index("ix_run_cancellations_created_at", "created_at"),
)

# What a person, or nobody in time, said to a call that waited.
approval_decisions = Table(
    "approval_decisions",
    metadata,
    Column("action_id", Uuid, primary_key=True),
    required("run_id", Uuid),
    of_context(),
    required("decision"),
    # Instead of those that the model gave.
    Column("arguments", JSONB),
    required("note", default="''"),
    Column("decided_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    Column("decided_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    one_of("decision", "approved", "denied"),
    CheckConstraint("arguments IS NULL OR decision = 'approved'", name="arguments_of_what_is_approved"),
    Index("ix_approval_decisions_run_id", "run_id"),
    Index("ix_approval_decisions_context_id", "context_id"),
    Index("ix_approval_decisions_decided_at", "decided_at"),
)

# Calls that need not be asked for again, for as long as nothing changes of what the grant is bound to.
approval_grants = Table(
    "approval_grants",
    metadata,
    identity(),
    of_context(),
    Column("job_id", Uuid, ForeignKey("scheduled_jobs.id", ondelete="CASCADE"), nullable=False),
    # SHA-256 of the job's prompt, and of the tool as it was announced.
    required("prompt_hash", LargeBinary),
    required("agent_id", Uuid),
    required("agent_name"),
    required("agent_revision", Integer),
    required("tool_name"),
    required("tool_hash", LargeBinary),
    # rota_contracts.grants.Pattern
    required("pattern", JSONB),
    Column("max_uses", Integer),
    required("note", default="''"),
    # The call that was approved with it.
    Column("action_id", Uuid),
    Column("created_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    required("expires_at", DateTime(timezone=True)),
    Column("revoked_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    instant("revoked_at"),
    UniqueConstraint("action_id"),
    CheckConstraint("max_uses >= 1", name="max_uses"),
    Index("ix_approval_grants_context_id", "context_id", text("created_at DESC")),
    Index("ix_approval_grants_job_id", "job_id", "tool_name"),
    Index("ix_approval_grants_expires_at", "expires_at"),
)

# What a person said of a call that writes, when its run was interrupted: it took effect, or is to be made
# again.
effect_decisions = Table(
    "effect_decisions",
    metadata,
    Column("effect_id", Uuid, primary_key=True),
    required("run_id", Uuid),
    of_context(),
    required("decision"),
    required("note", default="''"),
    Column("decided_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    Column("decided_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    one_of("decision", "confirmed", "repeated"),
    Index("ix_effect_decisions_run_id", "run_id"),
    Index("ix_effect_decisions_context_id", "context_id"),
    Index("ix_effect_decisions_decided_at", "decided_at"),
)

# Attempts that parked, or were interrupted, and all is decided upon: the run goes on.
run_resumptions = Table(
    "run_resumptions",
    metadata,
    Column("run_id", Uuid),
    Column("attempt", Integer),
    of_context(),
    required("scheduled_for", DateTime(timezone=True)),
    required("changed_xid", TransactionId, "pg_current_xact_id()"),
    instant("created_at", now=True),
    PrimaryKeyConstraint("run_id", "attempt"),
    Index("ix_run_resumptions_changed_xid", "changed_xid"),
    Index("ix_run_resumptions_context_id", "context_id"),
    Index("ix_run_resumptions_created_at", "created_at"),
)

# How far the gateway has come in comparing the ledger with the definitions: a row for each time through.
ledger_audits = Table(
    "ledger_audits",
    metadata,
    Column("started_at", DateTime(timezone=True), primary_key=True, server_default=text("clock_timestamp()")),
    # What was due after this instant is looked at.
    required("since", DateTime(timezone=True)),
    # Jobs are taken in the order of their ids, and no batch before its time.
    Column("after_job_id", Uuid),
    required("next_batch_at", DateTime(timezone=True), "clock_timestamp()"),
    required("jobs", BigInteger, "0"),
    required("unaccounted_jobs", BigInteger, "0"),
    required("unaccounted_instants", BigInteger, "0"),
    required("behind_jobs", BigInteger, "0"),
    instant("completed_at"),
    Index(
        "uq_ledger_audits_under_way",
        text("(completed_at IS NULL)"),
        unique=True,
        postgresql_where=text("completed_at IS NULL"),
    ),
)

notification_reads = Table(
    "notification_reads",
    metadata,
    Column("notification_id", Uuid, ForeignKey("notifications.id", ondelete="CASCADE")),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE")),
    instant("read_at", now=True),
    PrimaryKeyConstraint("notification_id", "user_id"),
)
