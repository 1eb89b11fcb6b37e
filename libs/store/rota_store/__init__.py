"""PostgreSQL as Rota uses it: the tables, the pool, transactions with a tenant set."""

from rota_store.database import Connection, Database, Row, opened
from rota_store.errors import StatementError, is_contention, is_transient
from rota_store.retention import keep_retention, prune

__all__ = [
    "Connection",
    "Database",
    "Row",
    "StatementError",
    "is_contention",
    "is_transient",
    "keep_retention",
    "opened",
    "prune",
]
