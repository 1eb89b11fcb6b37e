"""What blocks runs is told once a day."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE notifications ADD COLUMN cause text")
    op.execute(
        "CREATE UNIQUE INDEX uq_notifications_context_id_cause ON notifications (context_id, cause) "
        "WHERE cause IS NOT NULL"
    )
