"""What tools of a context sign in with: sealed by the gateway, opened by the executor alone."""

from alembic import op

from rota_migrations.tenancy import isolate

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WRITES = {"rota_gateway": {"credentials": "SELECT, INSERT, UPDATE, DELETE"}}
READS = {"rota_executor": "credentials"}


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
    isolate("credentials", "owned")
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        op.execute(f"GRANT SELECT ON {readable} TO {role}")
