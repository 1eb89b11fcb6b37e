"""What runs came to. Written by results."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from rota_store.tables.columns import (
    EXPIRY_ACTIONS,
    OUTCOME_STATUSES,
    RUN_STATUSES,
    SEVERITIES,
    TRIGGERS,
    held_context,
    identity,
    instant,
    metadata,
    of_context,
    one_of,
    required,
)

agent_execution_results = Table(
    "agent_execution_results",
    metadata,
    identity("run_id"),
    held_context(),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    # Null once the job is deleted; held by a trigger as the context is.
    Column("schedule_id", Uuid),
    required("job_name"),
    required("agent_name"),
    Column("agent_revision", Integer),
    required("prompt"),
    required("result_content", default="''"),
    required("status"),
    Column("error_kind", Text),
    Column("error_message", Text),
    required("pending_actions_created", Integer, "0"),
    required("execution_duration_ms", BigInteger),
    required("metadata", JSONB, "'{}'"),
    required("usage", JSONB, "'{}'"),
    # What a run that succeeded came to; none of the others.
    Column("outcome_status", Text),
    required("outcome_summary", default="''"),
    Column("outcome_severity", Text),
    required("outcome_fingerprint", default="''"),
    required("attempt", Integer),
    required("trigger"),
    required("session_id", Uuid),
    required("scheduled_for", DateTime(timezone=True)),
    required("started_at", DateTime(timezone=True)),
    required("completed_at", DateTime(timezone=True)),
    instant("created_at", now=True),
    one_of("status", *RUN_STATUSES),
    one_of("trigger", *TRIGGERS),
    one_of("outcome_status", *OUTCOME_STATUSES),
    one_of("outcome_severity", *SEVERITIES),
    CheckConstraint("length(result_content) <= 50000", name="result_content_length"),
    CheckConstraint(
        "length(outcome_summary) <= 2000 AND length(outcome_fingerprint) <= 200", name="outcome_lengths"
    ),
    CheckConstraint("pending_actions_created >= 0 AND execution_duration_ms >= 0", name="counts"),
    Index(
        "ix_agent_execution_results_user_id",
        "user_id",
        text("created_at DESC"),
        postgresql_where=text("user_id IS NOT NULL"),
    ),
    Index("ix_agent_execution_results_schedule_id", "schedule_id", text("created_at DESC")),
    Index("ix_agent_execution_results_context_id", "context_id", text("created_at DESC")),
    Index("ix_agent_execution_results_created_at", text("created_at DESC")),
)

# Results that result.recorded was not confirmed for: of each batch one row.
unannounced_results = Table(
    "unannounced_results",
    metadata,
    identity(),
    Column("run_ids", ARRAY(Uuid), nullable=False),
    instant("created_at", now=True),
)

job_statistics = Table(
    "job_statistics",
    metadata,
    # Held by a trigger, once per statement.
    Column("job_id", Uuid, primary_key=True),
    required("context_id", Uuid),
    required("run_count", BigInteger, "0"),
    required("error_count", BigInteger, "0"),
    required("consecutive_failures", Integer, "0"),
    Column("last_run_id", Uuid),
    instant("last_run_at"),
    Column("last_run_status", Text),
    Column("last_run_result", Text),
    Column("last_run_duration_ms", BigInteger),
    one_of("last_run_status", *RUN_STATUSES),
    CheckConstraint("length(last_run_result) <= 2000", name="last_run_result_length"),
)

# What each attempt spent on each model; of a deleted job it stays, under its name.
model_usage = Table(
    "model_usage",
    metadata,
    Column("run_id", Uuid),
    Column("attempt", Integer),
    Column("model", Text),
    of_context(),
    required("job_id", Uuid),
    required("job_name"),
    required("agent_name"),
    required("used_at", DateTime(timezone=True)),
    required("requests", Integer),
    required("input_tokens", BigInteger),
    required("output_tokens", BigInteger),
    # Null where nobody knows the price.
    Column("cost_usd", Numeric),
    required("unpriced_requests", Integer),
    PrimaryKeyConstraint("run_id", "attempt", "model"),
    Index("ix_model_usage_context_id", "context_id", "used_at"),
    Index("ix_model_usage_job_id", "job_id", "used_at"),
    Index("ix_model_usage_used_at", "used_at"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("session_id", Uuid, primary_key=True),
    of_context(),
    required("run_id", Uuid),
    required("agent_name"),
    instant("created_at", now=True),
    Index("ix_conversations_run_id", "run_id"),
    Index("ix_conversations_context_id", "context_id"),
)

conversation_messages = Table(
    "conversation_messages",
    metadata,
    Column("session_id", Uuid, ForeignKey("conversations.session_id", ondelete="CASCADE")),
    Column("position", Integer),
    required("role"),
    required("content"),
    # Of a call of the model in the first message of its answer, of one of a tool in its result.
    instant("started_at"),
    Column("duration_ms", BigInteger),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("model", Text),
    Column("tool_name", Text),
    Column("tool_call_id", Text),
    Column("arguments", JSONB),
    Column("status", Text),
    instant("created_at", now=True),
    PrimaryKeyConstraint("session_id", "position"),
    one_of("role", "system", "user", "assistant", "tool"),
    one_of("status", "success", "failed", "denied", "interrupted", "retried"),
)

pending_actions = Table(
    "pending_actions",
    metadata,
    identity(),
    of_context(),
    Column("run_id", Uuid, ForeignKey("agent_execution_results.run_id", ondelete="CASCADE"), nullable=False),
    required("tool_call_id"),
    required("tool_name"),
    required("arguments", JSONB, "'{}'"),
    # What the agent said when it made the call.
    required("reason", default="''"),
    required("status", default="'pending'"),
    instant("expires_at"),
    instant("remind_at"),
    # What becomes of the run when nobody decides in time: the call counts as denied, or the run fails.
    required("expiry_action", default="'deny'"),
    instant("created_at", now=True),
    UniqueConstraint("run_id", "tool_call_id"),
    one_of("status", "pending", "approved", "denied", "expired"),
    one_of("expiry_action", *EXPIRY_ACTIONS),
    Index("ix_pending_actions_reminding", "remind_at", postgresql_where=text("status = 'pending'")),
    Index("ix_pending_actions_expiring", "expires_at", postgresql_where=text("status = 'pending'")),
    Index("ix_pending_actions_context_id", "context_id", text("created_at DESC")),
)
