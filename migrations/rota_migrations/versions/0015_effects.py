"""What people say of calls whose run was interrupted: they took effect, or are to be made again."""

from alembic import op

from rota_migrations.tenancy import isolate

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE tool_effects ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid(),
            ADD COLUMN arguments jsonb, ADD CONSTRAINT uq_tool_effects_id UNIQUE (id)
    """)
    op.execute("""
        CREATE INDEX ix_tool_effects_open ON tool_effects (context_id, started_at DESC) WHERE state = 'started'
    """)
    op.execute("""
        CREATE TABLE effect_decisions (
            effect_id uuid NOT NULL CONSTRAINT pk_effect_decisions PRIMARY KEY,
            run_id uuid NOT NULL,
            context_id uuid NOT NULL
                CONSTRAINT fk_effect_decisions_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            decision text NOT NULL
                CONSTRAINT ck_effect_decisions_decision CHECK (decision IN ('confirmed', 'repeated')),
            note text NOT NULL DEFAULT '',
            decided_by uuid
                CONSTRAINT fk_effect_decisions_decided_by REFERENCES users (id) ON DELETE SET NULL,
            decided_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
    """)
    op.execute("CREATE INDEX ix_effect_decisions_run_id ON effect_decisions (run_id)")
    op.execute("CREATE INDEX ix_effect_decisions_context_id ON effect_decisions (context_id)")
    isolate("effect_decisions", "writable", ["INSERT"])
    op.execute("GRANT SELECT, INSERT ON effect_decisions TO rota_gateway")
    op.execute("GRANT SELECT ON effect_decisions, run_resumptions TO rota_executor")
