"""Who owns what was applied from a file."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OTHERS = "rota_ticker, rota_executor, rota_results, rota_notifier"
VISIBLE = "context_id = ANY (ARRAY(SELECT rota_visible_contexts()))"
WRITABLE = "context_id = ANY (ARRAY(SELECT rota_writable_contexts()))"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE owner_labels (
            kind text NOT NULL,
            object_id uuid NOT NULL,
            context_id uuid NOT NULL,
            owner text NOT NULL,
            CONSTRAINT pk_owner_labels PRIMARY KEY (kind, object_id),
            CONSTRAINT fk_owner_labels_context_id
                FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE CASCADE,
            CONSTRAINT ck_owner_labels_kind CHECK (kind IN ('mcp_server', 'agent', 'job'))
        )
    """)
    op.execute("CREATE INDEX ix_owner_labels_context_id ON owner_labels (context_id, owner)")
    op.execute("ALTER TABLE owner_labels ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY services ON owner_labels TO {OTHERS} USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY gateway_select ON owner_labels FOR SELECT TO rota_gateway USING ({VISIBLE})")
    op.execute(
        f"CREATE POLICY gateway_insert ON owner_labels FOR INSERT TO rota_gateway WITH CHECK ({WRITABLE})"
    )
    for command in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE POLICY gateway_{command.lower()} ON owner_labels FOR {command} TO rota_gateway"
            f" USING ({WRITABLE})"
        )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON owner_labels TO rota_gateway")
