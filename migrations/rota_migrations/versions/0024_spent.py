"""What attempts have spent while they go on: known also of those whose executor is killed."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE run_attempts ADD COLUMN spent jsonb, ADD COLUMN spent_at timestamptz")
    op.execute("""
        CREATE INDEX ix_run_attempts_spent_at ON run_attempts (spent_at)
        WHERE spent IS NOT NULL AND state <> 'ended'
    """)
    op.execute("GRANT UPDATE ON model_usage TO rota_results")
