"""PostgreSQL as Rota uses it: the tables, the pool, transactions with a tenant set."""

from rota_store.database import Connection, Database, Row, opened
from rota_store.errors import StatementError, is_contention, is_transient

__all__ = ["Connection", "Database", "Row", "StatementError", "is_contention", "is_transient", "opened"]
