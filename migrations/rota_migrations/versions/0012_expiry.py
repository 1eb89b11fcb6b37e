"""How long a call waits for a person, what becomes of its run then, and when people are reminded of it."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MONTH_SECONDS = 30 * 86_400


def upgrade() -> None:
    for table in ("scheduled_jobs", "agent_configurations"):
        op.execute(f"""
            ALTER TABLE {table} ADD COLUMN approval_expiry_seconds integer, ADD COLUMN approval_expiry_action text,
                ADD CONSTRAINT ck_{table}_approval_expiry_seconds
                    CHECK (approval_expiry_seconds BETWEEN 60 AND {MONTH_SECONDS}),
                ADD CONSTRAINT ck_{table}_approval_expiry_action
                    CHECK (approval_expiry_action IN ('deny', 'fail'))
        """)
    op.execute("""
        ALTER TABLE pending_actions ADD COLUMN remind_at timestamptz,
            ADD COLUMN expiry_action text NOT NULL DEFAULT 'deny',
            ADD CONSTRAINT ck_pending_actions_expiry_action CHECK (expiry_action IN ('deny', 'fail'))
    """)
    op.execute("""
        CREATE INDEX ix_pending_actions_reminding ON pending_actions (remind_at) WHERE status = 'pending'
    """)
    op.execute("""
        ALTER TABLE notifications DROP CONSTRAINT ck_notifications_category,
            ADD CONSTRAINT ck_notifications_category CHECK (category IN
                ('success', 'error', 'approval_needed', 'approval_reminder', 'paused', 'message'))
    """)
    op.execute("GRANT SELECT ON agent_configurations TO rota_results")
    op.execute("GRANT SELECT ON approval_decisions TO rota_notifier")
