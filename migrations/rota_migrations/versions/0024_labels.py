"""Calendars and budgets are applied from files too."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE owner_labels DROP CONSTRAINT ck_owner_labels_kind,
            ADD CONSTRAINT ck_owner_labels_kind
                CHECK (kind IN ('calendar', 'mcp_server', 'agent', 'job', 'budget'))
    """)
