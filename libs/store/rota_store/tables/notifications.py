"""Telling people. Written by the notifier."""

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)

from rota_store.tables.columns import (
    CHANNELS,
    held_context,
    identity,
    instant,
    metadata,
    of_context,
    one_of,
    required,
)

notifications = Table(
    "notifications",
    metadata,
    identity(),
    held_context(),
    required("run_id", Uuid),
    Column("job_id", Uuid),
    # A run that waited for a person and went on is told of again.
    required("attempt", Integer, "1"),
    required("category"),
    required("title"),
    required("body", default="''"),
    # Of news that are told once a context: what they are about, and the day.
    Column("cause", Text),
    instant("created_at", now=True),
    one_of("category", "success", "error", "approval_needed", "approval_reminder", "paused", "message"),
    Index(
        "uq_notifications_run_id_category_attempt_job_id",
        "run_id",
        "category",
        "attempt",
        "job_id",
        unique=True,
        postgresql_where=text("category <> 'message'"),
    ),
    Index(
        "uq_notifications_context_id_cause",
        "context_id",
        "cause",
        unique=True,
        postgresql_where=text("cause IS NOT NULL"),
    ),
    Index("ix_notifications_context_id", "context_id", text("created_at DESC")),
    Index("ix_notifications_created_at", text("created_at DESC")),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("notification_id", Uuid),
    Column("channel", Text),
    of_context(),
    Column("target", Text),
    required("state", default="'pending'"),
    Column("reason", Text),
    required("attempts", Integer, "0"),
    instant("next_attempt_at", now=True),
    # Held by the process that sends, so that two never do.
    instant("lease_until"),
    instant("announced_at"),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    PrimaryKeyConstraint("notification_id", "channel"),
    ForeignKeyConstraint(["notification_id"], ["notifications.id"], ondelete="CASCADE"),
    one_of("channel", *CHANNELS),
    one_of("state", "pending", "delivered", "failed", "unknown", "suppressed"),
    Index("ix_deliveries_pending", "next_attempt_at", postgresql_where=text("state = 'pending'")),
    Index(
        "ix_deliveries_unannounced",
        "updated_at",
        postgresql_where=text("state <> 'pending' AND announced_at IS NULL"),
    ),
    Index("ix_deliveries_context_id", "context_id"),
)
