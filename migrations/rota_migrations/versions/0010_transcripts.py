"""When each call of a conversation was made, how long it took, and what it cost."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE conversation_messages
            ADD COLUMN started_at timestamptz,
            ADD COLUMN duration_ms bigint,
            ADD COLUMN input_tokens bigint,
            ADD COLUMN output_tokens bigint,
            ADD COLUMN model text,
            ADD COLUMN tool_name text,
            ADD COLUMN tool_call_id text,
            ADD COLUMN arguments jsonb,
            ADD COLUMN status text
                CONSTRAINT ck_conversation_messages_status
                CHECK (status IN ('success', 'failed', 'denied', 'interrupted', 'retried'))
    """)
