"""What attempts spent on each model, also those that were tried again: who asks for usage adds it up."""

from alembic import op

from rota_migrations.tenancy import isolate

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE model_usage (
            run_id uuid NOT NULL,
            attempt integer NOT NULL,
            model text NOT NULL,
            context_id uuid NOT NULL
                CONSTRAINT fk_model_usage_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            job_id uuid NOT NULL,
            job_name text NOT NULL,
            agent_name text NOT NULL,
            used_at timestamptz NOT NULL,
            requests integer NOT NULL,
            input_tokens bigint NOT NULL,
            output_tokens bigint NOT NULL,
            cost_usd numeric,
            unpriced_requests integer NOT NULL,
            CONSTRAINT pk_model_usage PRIMARY KEY (run_id, attempt, model)
        )
    """)
    op.execute("CREATE INDEX ix_model_usage_context_id ON model_usage (context_id, used_at)")
    op.execute("CREATE INDEX ix_model_usage_job_id ON model_usage (job_id, used_at)")
    op.execute("CREATE INDEX ix_model_usage_used_at ON model_usage (used_at)")
    isolate("model_usage")
    op.execute("GRANT SELECT, INSERT, DELETE ON model_usage TO rota_results")
    op.execute("GRANT SELECT ON model_usage TO rota_gateway")
