"""Who owns what was applied from a file."""

from alembic import op

from rota_migrations.tenancy import isolate

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


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
    isolate("owner_labels", "writable")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON owner_labels TO rota_gateway")
