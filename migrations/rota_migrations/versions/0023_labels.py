"""Calendars and budgets are applied from files too."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE owner_labels DROP CONSTRAINT ck_owner_labels_kind,
            ADD CONSTRAINT ck_owner_labels_kind
                CHECK (kind IN ('calendar', 'mcp_server', 'agent', 'job', 'budget'))
    """)
