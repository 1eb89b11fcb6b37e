"""Who is no member of a context any more sees nothing of it, their own results neither."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER POLICY gateway_select ON agent_execution_results
        USING (context_id = ANY (ARRAY(SELECT rota_visible_contexts())))
    """)
