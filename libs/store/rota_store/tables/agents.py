"""Agents as people define them. Written by the gateway."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from rota_store.tables.columns import (
    EXPIRY_ACTIONS,
    identity,
    instant,
    metadata,
    of_context,
    one_of,
    required,
)

agent_configurations = Table(
    "agent_configurations",
    metadata,
    identity(),
    of_context(nullable=True),
    required("name"),
    required("description", default="''"),
    required("model"),
    required("fallback_models", JSONB, "'[]'"),
    required("system_prompt"),
    required("model_settings", JSONB, "'{}'"),
    # Few-shot turns: [{"input": …, "output": …}]
    required("examples", JSONB, "'[]'"),
    # conversation: one exchange about the prompt; per_fact: one exchange for each prefetched fact
    required("style", default="'conversation'"),
    # numbers: every number of the answer must stand in what the tools or the prompt said
    required("grounding", default="'none'"),
    required("limits", JSONB, "'{}'"),
    # At most so many runs of it at once, in each context.
    Column("max_concurrent_runs", Integer),
    # Of its jobs that do not say otherwise.
    Column("approval_expiry_seconds", Integer),
    Column("approval_expiry_action", Text),
    required("revision", Integer, "1"),
    # SHA-256 of an agent as it was shipped: while the row still is that, an upgrade may change it.
    Column("shipped_hash", LargeBinary),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    UniqueConstraint("context_id", "name", postgresql_nulls_not_distinct=True),
    one_of("style", "conversation", "per_fact"),
    one_of("grounding", "none", "numbers"),
    CheckConstraint("max_concurrent_runs BETWEEN 1 AND 1000", name="max_concurrent_runs"),
    CheckConstraint("approval_expiry_seconds BETWEEN 60 AND 2592000", name="approval_expiry_seconds"),
    one_of("approval_expiry_action", *EXPIRY_ACTIONS),
)

agent_tools = Table(
    "agent_tools",
    metadata,
    Column("agent_id", Uuid, ForeignKey("agent_configurations.id", ondelete="CASCADE")),
    Column("tool_name", Text),
    required("mode", default="'model'"),
    # None: what the tool's annotation says when the run begins.
    Column("policy", Text),
    required("arguments", JSONB, "'{}'"),
    required("position", Integer, "0"),
    PrimaryKeyConstraint("agent_id", "tool_name"),
    one_of("mode", "model", "prefetch"),
    one_of("policy", "auto", "ask", "deny"),
    CheckConstraint("mode = 'model' OR policy <> 'ask'", name="prefetch_never_asks"),
)

# Each save of an agent. They outlive it, and an agent made anew under its name goes on counting: a run names
# its agent and the revision, and that is one definition for ever.
agent_revisions = Table(
    "agent_revisions",
    metadata,
    Column("agent_id", Uuid),
    Column("revision", Integer),
    of_context(nullable=True),
    required("name"),
    # Everything that a save can change, the linked tools too.
    required("definition", JSONB),
    Column("created_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    instant("created_at", now=True),
    PrimaryKeyConstraint("agent_id", "revision"),
    UniqueConstraint("context_id", "name", "revision", postgresql_nulls_not_distinct=True),
)
