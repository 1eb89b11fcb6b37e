"""Standing grants: calls that need not be asked for again, and each use that was made of one.

A grant is counted by the numbers of its uses: two runs that take the same number collide.
"""

from alembic import op

from rota_migrations.tenancy import isolate

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WRITES = {
    "rota_gateway": {"approval_grants": "SELECT, INSERT, UPDATE"},
    "rota_executor": {"grant_uses": "SELECT, INSERT, DELETE"},
}
READS = {"rota_executor": "approval_grants", "rota_gateway": "grant_uses"}


def upgrade() -> None:
    _create_grants()
    _create_uses()
    _create_policies()
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        op.execute(f"GRANT SELECT ON {readable} TO {role}")


def _create_grants() -> None:
    op.execute("""
        CREATE TABLE approval_grants (
            id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_approval_grants PRIMARY KEY,
            context_id uuid NOT NULL
                CONSTRAINT fk_approval_grants_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            job_id uuid NOT NULL
                CONSTRAINT fk_approval_grants_job_id REFERENCES scheduled_jobs (id) ON DELETE CASCADE,
            prompt_hash bytea NOT NULL,
            agent_id uuid NOT NULL,
            agent_name text NOT NULL,
            agent_revision integer NOT NULL,
            tool_name text NOT NULL,
            tool_hash bytea NOT NULL,
            pattern jsonb NOT NULL,
            max_uses integer,
            note text NOT NULL DEFAULT '',
            action_id uuid CONSTRAINT uq_approval_grants_action_id UNIQUE,
            created_by uuid CONSTRAINT fk_approval_grants_created_by REFERENCES users (id) ON DELETE SET NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            expires_at timestamptz NOT NULL,
            revoked_by uuid CONSTRAINT fk_approval_grants_revoked_by REFERENCES users (id) ON DELETE SET NULL,
            revoked_at timestamptz,
            CONSTRAINT ck_approval_grants_max_uses CHECK (max_uses >= 1)
        )
    """)
    op.execute("CREATE INDEX ix_approval_grants_context_id ON approval_grants (context_id, created_at DESC)")
    op.execute("CREATE INDEX ix_approval_grants_job_id ON approval_grants (job_id, tool_name)")


def _create_uses() -> None:
    op.execute("""
        CREATE TABLE grant_uses (
            grant_id uuid NOT NULL
                CONSTRAINT fk_grant_uses_grant_id REFERENCES approval_grants (id) ON DELETE CASCADE,
            number integer NOT NULL,
            context_id uuid NOT NULL
                CONSTRAINT fk_grant_uses_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            run_id uuid NOT NULL,
            attempt integer NOT NULL,
            call_id text NOT NULL,
            used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT pk_grant_uses PRIMARY KEY (grant_id, number),
            CONSTRAINT uq_grant_uses_run_id_attempt_call_id UNIQUE (run_id, attempt, call_id)
        )
    """)
    op.execute("CREATE INDEX ix_grant_uses_context_id ON grant_uses (context_id)")
    op.execute("CREATE INDEX ix_grant_uses_used_at ON grant_uses (used_at)")


def _create_policies() -> None:
    isolate("approval_grants", "writable", ["INSERT", "UPDATE"])
    isolate("grant_uses")
