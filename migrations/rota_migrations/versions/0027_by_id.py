"""Indices by time hold no ids: what is looked up by its id is not to be found by reading one of them whole."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("agent_execution_results", "notifications"):
        op.execute(f"DROP INDEX ix_{table}_created_at")
        op.execute(f"CREATE INDEX ix_{table}_created_at ON {table} (created_at DESC)")
