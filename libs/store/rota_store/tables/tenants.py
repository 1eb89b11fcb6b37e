"""Who there is: contexts, people and their keys. Written by the gateway."""

from sqlalchemy import (
    ARRAY,
    Boolean,
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
)

from rota_store.tables.columns import identity, instant, metadata, of_context, one_of, required

contexts = Table(
    "contexts",
    metadata,
    identity(),
    required("name"),
    required("max_concurrent_runs", Integer, "3"),
    required("min_period_seconds", Integer, "60"),
    # Hosts that tools may reach though they are at no public address; only administrators change them.
    required("allowed_hosts", ARRAY(Text), "'{}'"),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    UniqueConstraint("name"),
    CheckConstraint("length(name) BETWEEN 1 AND 255", name="name_length"),
    CheckConstraint("max_concurrent_runs BETWEEN 1 AND 1000", name="max_concurrent_runs"),
    CheckConstraint("min_period_seconds BETWEEN 1 AND 86400", name="min_period_seconds"),
    CheckConstraint("cardinality(allowed_hosts) <= 100", name="allowed_hosts_count"),
)

users = Table(
    "users",
    metadata,
    identity(),
    required("email"),
    required("display_name", default="''"),
    required("is_admin", Boolean, "false"),
    # Who is not signs in no more; what they made stays.
    required("is_enabled", Boolean, "true"),
    instant("created_at", now=True),
    UniqueConstraint("email"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("context_id", Uuid, ForeignKey("contexts.id", ondelete="CASCADE")),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE")),
    required("role"),
    instant("created_at", now=True),
    PrimaryKeyConstraint("context_id", "user_id"),
    one_of("role", "owner", "editor", "operator", "viewer"),
    Index("ix_memberships_user_id", "user_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    identity(),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    required("name"),
    required("prefix"),
    required("key_hash", LargeBinary),
    instant("created_at", now=True),
    instant("last_used_at"),
    instant("expires_at"),
    instant("revoked_at"),
    UniqueConstraint("key_hash"),
    Index("ix_api_keys_user_id", "user_id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    instant("created_at", now=True),
    instant("expires_at", nullable=False),
    Index("ix_sessions_user_id", "user_id"),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    instant("created_at", now=True),
    instant("expires_at", nullable=False),
    instant("used_at"),
)

# What somebody may do from then on, and did before; noted by triggers.
access_changes = Table(
    "access_changes",
    metadata,
    identity(),
    of_context(nullable=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    required("field"),
    Column("old", Text),
    Column("new", Text),
    # Nobody, where it was done in SQL or by the bootstrap.
    Column("changed_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    required("created_at", DateTime(timezone=True), "clock_timestamp()"),
    one_of("field", "role", "is_admin", "is_enabled", "api_key"),
    Index("ix_access_changes_context_id", "context_id", "created_at"),
    Index("ix_access_changes_user_id", "user_id", "created_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE")),
    Column("key", Text),
    required("request_hash", LargeBinary),
    Column("status", Integer),
    Column("body", LargeBinary),
    instant("created_at", now=True),
    PrimaryKeyConstraint("user_id", "key"),
)
