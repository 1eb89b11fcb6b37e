"""What tools of a context sign in with: sealed by the gateway, opened by the executor alone."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WRITES = {"rota_gateway": {"credentials": "SELECT, INSERT, UPDATE, DELETE"}}
READS = {"rota_executor": "credentials"}

OTHERS = "rota_ticker, rota_executor, rota_results, rota_notifier"
VISIBLE = "context_id = ANY (ARRAY(SELECT rota_visible_contexts()))"
OWNED = "context_id = ANY (ARRAY(SELECT rota_owned_contexts()))"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE credentials (
            id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_credentials PRIMARY KEY,
            context_id uuid NOT NULL,
            name text NOT NULL,
            kind text NOT NULL,
            settings jsonb NOT NULL DEFAULT '{}',
            sealed bytea NOT NULL,
            created_by uuid,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT fk_credentials_context_id
                FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE CASCADE,
            CONSTRAINT fk_credentials_created_by
                FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
            CONSTRAINT uq_credentials_context_id_name UNIQUE (context_id, name),
            CONSTRAINT ck_credentials_kind CHECK (kind IN ('secret', 'http', 'google')),
            CONSTRAINT ck_credentials_name_length CHECK (length(name) BETWEEN 1 AND 64)
        )
    """)
    op.execute("ALTER TABLE credentials ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY services ON credentials TO {OTHERS} USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY gateway_select ON credentials FOR SELECT TO rota_gateway USING ({VISIBLE})")
    op.execute(f"CREATE POLICY gateway_insert ON credentials FOR INSERT TO rota_gateway WITH CHECK ({OWNED})")
    for command in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE POLICY gateway_{command.lower()} ON credentials FOR {command} TO rota_gateway"
            f" USING ({OWNED})"
        )
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        op.execute(f"GRANT SELECT ON {readable} TO {role}")
