"""MCP servers of contexts: named by people, looked into by the executor."""

from alembic import op

from rota_migrations.tenancy import isolate

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WRITES = {
    "rota_gateway": {"mcp_servers": "SELECT, INSERT, UPDATE, DELETE"},
    "rota_executor": dict.fromkeys(("mcp_discoveries", "mcp_tools"), "SELECT, INSERT, UPDATE, DELETE"),
}
READS = {"rota_executor": ("mcp_servers",), "rota_gateway": ("mcp_discoveries", "mcp_tools")}


def upgrade() -> None:
    op.execute("""
        CREATE TABLE mcp_servers (
            id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_mcp_servers PRIMARY KEY,
            context_id uuid NOT NULL,
            name text NOT NULL,
            transport text NOT NULL,
            url text,
            credential text,
            command text,
            allowed_tools text[],
            effects jsonb NOT NULL DEFAULT '{}',
            generation bigint NOT NULL DEFAULT 1,
            created_by uuid,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT fk_mcp_servers_context_id
                FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE CASCADE,
            CONSTRAINT fk_mcp_servers_created_by
                FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
            CONSTRAINT uq_mcp_servers_context_id_name UNIQUE (context_id, name),
            CONSTRAINT ck_mcp_servers_transport CHECK (transport IN ('http', 'stdio')),
            CONSTRAINT ck_mcp_servers_name_length CHECK (length(name) BETWEEN 1 AND 30)
        )
    """)
    op.execute("""
        CREATE TABLE mcp_discoveries (
            server_id uuid NOT NULL CONSTRAINT pk_mcp_discoveries PRIMARY KEY,
            context_id uuid NOT NULL,
            generation bigint NOT NULL DEFAULT 0,
            claimed_until timestamptz NOT NULL DEFAULT now(),
            discovered_at timestamptz,
            error text,
            CONSTRAINT fk_mcp_discoveries_server_id
                FOREIGN KEY (server_id) REFERENCES mcp_servers (id) ON DELETE CASCADE,
            CONSTRAINT fk_mcp_discoveries_context_id
                FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE CASCADE
        )
    """)
    op.execute("""
        CREATE TABLE mcp_tools (
            server_id uuid,
            context_id uuid NOT NULL,
            name text NOT NULL,
            tool text NOT NULL,
            description text NOT NULL,
            effect text NOT NULL,
            parameters jsonb NOT NULL,
            idempotent boolean NOT NULL,
            open_world boolean NOT NULL,
            CONSTRAINT pk_mcp_tools PRIMARY KEY (context_id, name),
            CONSTRAINT fk_mcp_tools_server_id
                FOREIGN KEY (server_id) REFERENCES mcp_servers (id) ON DELETE CASCADE,
            CONSTRAINT fk_mcp_tools_context_id
                FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE CASCADE,
            CONSTRAINT ck_mcp_tools_effect CHECK (effect IN ('read', 'write'))
        )
    """)
    isolate("mcp_servers", "owned")
    isolate("mcp_discoveries")
    isolate("mcp_tools")
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        for table in readable:
            op.execute(f"GRANT SELECT ON {table} TO {role}")
