"""The clock and the ledger. Written by the ticker."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from rota_store.tables.columns import TRIGGERS, held_context, identity, instant, metadata, one_of, required

job_timers = Table(
    "job_timers",
    metadata,
    Column("job_id", Uuid, ForeignKey("scheduled_jobs.id", ondelete="CASCADE"), primary_key=True),
    required("context_id", Uuid),
    required("planned_generation", BigInteger),
    # Every instant up to this one is in the ledger.
    required("accounted_until", DateTime(timezone=True)),
    instant("next_run_at"),
    # When the ticker must look again: next_run_at and its jitter, or the end of a pause.
    instant("wake_at"),
    # Among those that wake at the same instant.
    required("turn", Integer, "0"),
    # Towards max_runs and auto_pause_after.
    required("runs", Integer, "0"),
    required("failures_in_a_row", Integer, "0"),
    # Set when the ticker itself paused the job.
    instant("paused_at"),
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
    identity(),
    Column("types", ARRAY(Text), nullable=False),
    Column("payloads", ARRAY(Text), nullable=False),
    instant("created_at", now=True),
)

occurrences = Table(
    "occurrences",
    metadata,
    # Of a scheduled one it follows from job and instant: the primary key makes it happen once.
    Column("run_id", Uuid),
    # No foreign key: the ledger outlives the job.
    required("job_id", Uuid),
    held_context(),
    Column("scheduled_for", DateTime(timezone=True)),
    required("effective_at", DateTime(timezone=True)),
    required("trigger"),
    required("state"),
    Column("disposition", Text),
    # For machines and for people.
    Column("reason_code", Text),
    Column("reason", Text),
    # A row may stand for a range of instants: how many, and the last of them.
    required("instants", Integer, "1"),
    instant("last_instant"),
    # The run that a coalesced range went into; of that run, how many instants it stands for and the first.
    Column("coalesced_into", Uuid),
    required("stands_for", Integer, "1"),
    instant("first_instant"),
    required("attempt", Integer, "1"),
    required("failures", Integer, "0"),
    required("losses", Integer, "0"),
    # The attempt that waited for a person, and that those after it go on from.
    Column("resumes", Integer),
    required("priority", SmallInteger, "5"),
    # Waits until no other run of its job is dispatched.
    required("is_exclusive", Boolean, "true"),
    Column("requested_by", Uuid),
    required("prompt_context", default="''"),
    # Before this it is not dispatched (the backoff of a retry), after that it is not begun any more.
    instant("not_before", now=True),
    instant("expires_at"),
    # When these two were written, unless with the row: of a retry, and after the clock was set back.
    instant("queued_at"),
    instant("dispatched_at"),
    # When it is looked whether anybody has begun what was dispatched.
    instant("check_at"),
    instant("cancelled_at"),
    Column("cancel_reason", Text),
    instant("started_at"),
    instant("closed_at"),
    instant("created_at", now=True),
    PrimaryKeyConstraint("run_id", "scheduled_for"),
    one_of("trigger", *TRIGGERS),
    one_of("state", "queued", "dispatched", "closed"),
    one_of("disposition", "ran", "skipped", "missed", "coalesced", "suppressed"),
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
