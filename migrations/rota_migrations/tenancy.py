"""Row level security of a table of tenants: one rule for all that have a `context_id`.

The services see every row; the gateway, which asks for a user, sees what that user may, and writes where the
user has the right that the table needs.
"""

from collections.abc import Sequence
from typing import Literal

from alembic import op

SERVICES = "rota_ticker, rota_executor, rota_results, rota_notifier"
COMMANDS = ("INSERT", "UPDATE", "DELETE")


def isolate(
    table: str, right: Literal["owned", "writable"] | None = None, commands: Sequence[str] = COMMANDS
) -> None:
    """Shows a user the rows of their contexts; with a `right` the gateway may write those of such contexts."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY services ON {table} TO {SERVICES} USING (true) WITH CHECK (true)")
    rules = {"SELECT": f"USING ({_among('visible')})"}
    if right:
        clauses = {"INSERT": "WITH CHECK"}
        rules |= {command: f"{clauses.get(command, 'USING')} ({_among(right)})" for command in commands}
    for command, rule in rules.items():
        op.execute(f"CREATE POLICY gateway_{command.lower()} ON {table} FOR {command} TO rota_gateway {rule}")


def _among(contexts: str) -> str:
    return f"context_id = ANY (ARRAY(SELECT rota_{contexts}_contexts()))"
