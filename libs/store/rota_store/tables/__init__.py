"""Every table of Rota, with the service that writes it.

The types and constraints here are the reading copy; `migrations/` creates them and a test compares
the two. All instants are `timestamptz`.
"""

from rota_store.tables import (
    agents,
    attempts,
    budgets,
    credentials,
    jobs,
    labels,
    ledger,
    mcp,
    notifications,
    record,
    requests,
    tenants,
)
from rota_store.tables.columns import TransactionId, metadata

__all__ = [
    "TransactionId",
    "agents",
    "attempts",
    "budgets",
    "credentials",
    "jobs",
    "labels",
    "ledger",
    "mcp",
    "metadata",
    "notifications",
    "record",
    "requests",
    "tenants",
]
