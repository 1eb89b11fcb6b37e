"""What an agent said when it made a call that waits for a person."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE pending_actions ADD COLUMN reason text NOT NULL DEFAULT ''")
