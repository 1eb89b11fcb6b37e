"""PostgreSQL as Rota uses it: the tables, the engine, transactions with a tenant set."""

from rota_store.database import Database, is_transient, opened

__all__ = ["Database", "is_transient", "opened"]
