"""Runs that only show what they would do."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TRIGGERS = {
    "run_requests": "'manual', 'backfill', 'dry_run'",
    "occurrences": "'schedule', 'manual', 'backfill', 'dry_run'",
    "agent_execution_results": "'schedule', 'manual', 'backfill', 'dry_run'",
}


def upgrade() -> None:
    for table, triggers in TRIGGERS.items():
        op.execute(f"""
            ALTER TABLE {table} DROP CONSTRAINT ck_{table}_trigger,
                ADD CONSTRAINT ck_{table}_trigger CHECK (trigger IN ({triggers}))
        """)
