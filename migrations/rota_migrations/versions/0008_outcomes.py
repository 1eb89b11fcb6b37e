"""What runs that succeeded came to, as their agents say it."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE agent_execution_results
            ADD COLUMN outcome_status text
                CONSTRAINT ck_agent_execution_results_outcome_status
                CHECK (outcome_status IN ('changed', 'nothing', 'needs_attention', 'failed')),
            ADD COLUMN outcome_summary text NOT NULL DEFAULT '',
            ADD COLUMN outcome_severity text
                CONSTRAINT ck_agent_execution_results_outcome_severity
                CHECK (outcome_severity IN ('info', 'warning', 'critical')),
            ADD COLUMN outcome_fingerprint text NOT NULL DEFAULT '',
            ADD CONSTRAINT ck_agent_execution_results_outcome_lengths
                CHECK (length(outcome_summary) <= 2000 AND length(outcome_fingerprint) <= 200)
    """)
