"""Budgets: what a context, an agent or a job may spend in a day or a month, and what it has spent.

What is used stands in one row for each budget and period; what calls to models may still use is reserved
there before they are made, and stands in a row of its own until it is known.
"""

from alembic import op

from rota_migrations.tenancy import isolate

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

WRITES = {
    "rota_gateway": {"budgets": "SELECT, INSERT, UPDATE, DELETE"},
    "rota_executor": {
        "budget_periods": "SELECT, INSERT, UPDATE, DELETE",
        "budget_reservations": "SELECT, INSERT, DELETE",
    },
}
READS = {"rota_gateway": "budget_periods", "rota_executor": "budgets", "rota_ticker": "budgets"}


def upgrade() -> None:
    _create_budgets()
    _create_periods()
    _create_policies()
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        op.execute(f"GRANT SELECT ON {readable} TO {role}")
    # One run may be the reason that several jobs are paused.
    op.execute("DROP INDEX uq_notifications_run_id_category_attempt")
    op.execute("""
        CREATE UNIQUE INDEX uq_notifications_run_id_category_attempt_job_id
        ON notifications (run_id, category, attempt, job_id) WHERE category <> 'message'
    """)


def _create_budgets() -> None:
    op.execute("""
        CREATE TABLE budgets (
            id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_budgets PRIMARY KEY,
            context_id uuid NOT NULL
                CONSTRAINT fk_budgets_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            job_id uuid CONSTRAINT fk_budgets_job_id REFERENCES scheduled_jobs (id) ON DELETE CASCADE,
            agent_name text,
            period text NOT NULL CONSTRAINT ck_budgets_period CHECK (period IN ('day', 'month')),
            tokens_limit bigint,
            cost_limit numeric,
            policy text NOT NULL DEFAULT 'stop'
                CONSTRAINT ck_budgets_policy CHECK (policy IN ('stop', 'pause', 'fallback')),
            fallback_model text,
            created_by uuid CONSTRAINT fk_budgets_created_by REFERENCES users (id) ON DELETE SET NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT uq_budgets_context_id_job_id_agent_name_period
                UNIQUE NULLS NOT DISTINCT (context_id, job_id, agent_name, period),
            CONSTRAINT ck_budgets_limits CHECK (
                (tokens_limit IS NOT NULL OR cost_limit IS NOT NULL) AND tokens_limit > 0 AND cost_limit > 0),
            CONSTRAINT ck_budgets_subject CHECK (job_id IS NULL OR agent_name IS NULL),
            CONSTRAINT ck_budgets_fallback CHECK ((policy = 'fallback') = (fallback_model IS NOT NULL))
        )
    """)
    op.execute("CREATE INDEX ix_budgets_job_id ON budgets (job_id)")


def _create_periods() -> None:
    op.execute("""
        CREATE TABLE budget_periods (
            budget_id uuid NOT NULL
                CONSTRAINT fk_budget_periods_budget_id REFERENCES budgets (id) ON DELETE CASCADE,
            period_start timestamptz NOT NULL,
            context_id uuid NOT NULL
                CONSTRAINT fk_budget_periods_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            used_tokens bigint NOT NULL DEFAULT 0,
            used_cost numeric NOT NULL DEFAULT 0,
            reserved_tokens bigint NOT NULL DEFAULT 0,
            reserved_cost numeric NOT NULL DEFAULT 0,
            warned_at timestamptz,
            CONSTRAINT pk_budget_periods PRIMARY KEY (budget_id, period_start),
            CONSTRAINT ck_budget_periods_amounts CHECK (
                used_tokens >= 0 AND used_cost >= 0 AND reserved_tokens >= 0 AND reserved_cost >= 0)
        )
    """)
    op.execute("CREATE INDEX ix_budget_periods_context_id ON budget_periods (context_id)")
    op.execute("""
        CREATE TABLE budget_reservations (
            id uuid NOT NULL,
            budget_id uuid NOT NULL,
            period_start timestamptz NOT NULL,
            run_id uuid NOT NULL,
            attempt integer NOT NULL,
            tokens bigint NOT NULL,
            cost numeric NOT NULL,
            CONSTRAINT pk_budget_reservations PRIMARY KEY (id, budget_id),
            CONSTRAINT fk_budget_reservations_budget_id FOREIGN KEY (budget_id, period_start)
                REFERENCES budget_periods (budget_id, period_start) ON DELETE CASCADE
        )
    """)
    op.execute(
        "CREATE INDEX ix_budget_reservations_budget_id_period_start"
        " ON budget_reservations (budget_id, period_start)"
    )


def _create_policies() -> None:
    isolate("budgets", "owned")
    isolate("budget_periods")
