"""Runs that wait for a person: who decided what, and which runs go on because of it."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WRITES = {
    "rota_gateway": {"approval_decisions": "SELECT, INSERT", "run_resumptions": "SELECT, INSERT"},
    "rota_results": {"pending_actions": "SELECT, INSERT, UPDATE"},
}
READS = {
    "rota_ticker": "run_resumptions, pending_actions",
    "rota_executor": "approval_decisions, pending_actions",
    "rota_results": "approval_decisions",
}

OTHERS = "rota_ticker, rota_executor, rota_results, rota_notifier"
VISIBLE = "context_id = ANY (ARRAY(SELECT rota_visible_contexts()))"
WRITABLE = "context_id = ANY (ARRAY(SELECT rota_writable_contexts()))"


def upgrade() -> None:
    op.execute("ALTER TABLE occurrences ADD COLUMN resumes integer")
    op.execute("ALTER TABLE run_attempts ADD COLUMN checkpoint text")
    # A run that went on has something new to tell.
    op.execute("ALTER TABLE notifications ADD COLUMN attempt integer NOT NULL DEFAULT 1")
    op.execute("DROP INDEX uq_notifications_run_id_category")
    op.execute("""
        CREATE UNIQUE INDEX uq_notifications_run_id_category_attempt ON notifications (run_id, category, attempt)
        WHERE category <> 'message'
    """)
    op.execute("""
        CREATE INDEX ix_pending_actions_expiring ON pending_actions (expires_at) WHERE status = 'pending'
    """)
    op.execute("""
        CREATE TABLE approval_decisions (
            action_id uuid NOT NULL CONSTRAINT pk_approval_decisions PRIMARY KEY,
            run_id uuid NOT NULL,
            context_id uuid NOT NULL
                CONSTRAINT fk_approval_decisions_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            decision text NOT NULL
                CONSTRAINT ck_approval_decisions_decision CHECK (decision IN ('approved', 'denied')),
            arguments jsonb,
            note text NOT NULL DEFAULT '',
            decided_by uuid
                CONSTRAINT fk_approval_decisions_decided_by REFERENCES users (id) ON DELETE SET NULL,
            decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT ck_approval_decisions_arguments_of_what_is_approved
                CHECK (arguments IS NULL OR decision = 'approved')
        )
    """)
    op.execute("CREATE INDEX ix_approval_decisions_run_id ON approval_decisions (run_id)")
    op.execute("CREATE INDEX ix_approval_decisions_context_id ON approval_decisions (context_id)")
    op.execute("""
        CREATE TABLE run_resumptions (
            run_id uuid NOT NULL,
            attempt integer NOT NULL,
            context_id uuid NOT NULL
                CONSTRAINT fk_run_resumptions_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            scheduled_for timestamptz NOT NULL,
            changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_run_resumptions PRIMARY KEY (run_id, attempt)
        )
    """)
    op.execute("CREATE INDEX ix_run_resumptions_changed_xid ON run_resumptions (changed_xid)")
    op.execute("CREATE INDEX ix_run_resumptions_context_id ON run_resumptions (context_id)")
    for table in ("approval_decisions", "run_resumptions"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY services ON {table} TO {OTHERS} USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY gateway_select ON {table} FOR SELECT TO rota_gateway USING ({VISIBLE})")
        op.execute(
            f"CREATE POLICY gateway_insert ON {table} FOR INSERT TO rota_gateway WITH CHECK ({WRITABLE})"
        )
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        op.execute(f"GRANT SELECT ON {readable} TO {role}")
