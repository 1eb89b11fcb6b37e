"""What may be spent, as the gateway writes it; and what is, as the executor does."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from rota_store.tables.columns import identity, instant, metadata, of_context, one_of, required

# Of a context; of one of its agents or jobs, where one is named. Days and months are those of UTC.
budgets = Table(
    "budgets",
    metadata,
    identity(),
    of_context(),
    Column("job_id", Uuid, ForeignKey("scheduled_jobs.id", ondelete="CASCADE")),
    Column("agent_name", Text),
    required("period"),
    Column("tokens_limit", BigInteger),
    # US dollars.
    Column("cost_limit", Numeric),
    # What becomes of runs once it is used up: fallback goes on with another model.
    required("policy", default="'stop'"),
    Column("fallback_model", Text),
    Column("created_by", Uuid, ForeignKey("users.id", ondelete="SET NULL")),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    UniqueConstraint("context_id", "job_id", "agent_name", "period", postgresql_nulls_not_distinct=True),
    one_of("period", "day", "month"),
    one_of("policy", "stop", "pause", "fallback"),
    CheckConstraint(
        "(tokens_limit IS NOT NULL OR cost_limit IS NOT NULL) AND tokens_limit > 0 AND cost_limit > 0",
        name="limits",
    ),
    CheckConstraint("job_id IS NULL OR agent_name IS NULL", name="subject"),
    CheckConstraint("(policy = 'fallback') = (fallback_model IS NOT NULL)", name="fallback"),
    Index("ix_budgets_job_id", "job_id"),
)

budget_periods = Table(
    "budget_periods",
    metadata,
    Column("budget_id", Uuid, ForeignKey("budgets.id", ondelete="CASCADE")),
    Column("period_start", DateTime(timezone=True)),
    of_context(),
    required("used_tokens", BigInteger, "0"),
    required("used_cost", Numeric, "0"),
    # The most that calls which go on may add to that.
    required("reserved_tokens", BigInteger, "0"),
    required("reserved_cost", Numeric, "0"),
    # When people were told that little is left.
    instant("warned_at"),
    PrimaryKeyConstraint("budget_id", "period_start"),
    CheckConstraint(
        "used_tokens >= 0 AND used_cost >= 0 AND reserved_tokens >= 0 AND reserved_cost >= 0", name="amounts"
    ),
    Index("ix_budget_periods_context_id", "context_id"),
)

# Of each call to a model that goes on a row for each budget that it counts towards.
budget_reservations = Table(
    "budget_reservations",
    metadata,
    Column("id", Uuid),
    Column("budget_id", Uuid),
    required("period_start", DateTime(timezone=True)),
    required("run_id", Uuid),
    required("attempt", Integer),
    required("tokens", BigInteger),
    required("cost", Numeric),
    PrimaryKeyConstraint("id", "budget_id"),
    ForeignKeyConstraint(
        ["budget_id", "period_start"],
        ["budget_periods.budget_id", "budget_periods.period_start"],
        ondelete="CASCADE",
    ),
    Index("ix_budget_reservations_budget_id_period_start", "budget_id", "period_start"),
)
