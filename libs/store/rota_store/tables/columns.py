"""Names by one convention, and the columns that many tables have."""

from typing import Any

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, MetaData, Text, Uuid, text
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


def identity(name: str = "id") -> Column[Any]:
    return Column(name, Uuid, primary_key=True, server_default=text("gen_random_uuid()"))


def instant(name: str, *, now: bool = False, nullable: bool | None = None) -> Column[Any]:
    default = text("now()") if now else None
    return Column(
        name,
        DateTime(timezone=True),
        server_default=default,
        nullable=(not now) if nullable is None else nullable,
    )


def of_context(*, nullable: bool = False) -> Column[Any]:
    """The tenant, with whom the row goes."""
    return Column("context_id", Uuid, ForeignKey("contexts.id", ondelete="CASCADE"), nullable=nullable)


def held_context() -> Column[Any]:
    """As `of_context`, for tables that take hundreds of rows at once.

    A trigger per statement holds each context once, where a foreign key would once per row.
    """
    return Column("context_id", Uuid, nullable=False)


def required(name: str, kind: Any = Text, default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))


def one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


CHANNELS = ("email", "telegram", "webhook")
EXPIRY_ACTIONS = ("deny", "fail")
RUN_STATUSES = ("success", "error", "partial")
OUTCOME_STATUSES = ("changed", "nothing", "needs_attention", "failed")
SEVERITIES = ("info", "warning", "critical")
TRIGGERS = ("schedule", "manual", "backfill", "dry_run")
