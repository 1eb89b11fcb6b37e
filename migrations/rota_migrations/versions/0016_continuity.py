"""What runs of a job know of those before them."""

from alembic import op

from rota_migrations.tenancy import isolate

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE scheduled_jobs
            ADD COLUMN continuity text NOT NULL DEFAULT 'none'
                CONSTRAINT ck_scheduled_jobs_continuity
                CHECK (continuity IN ('none', 'last_outcome', 'last_n_outcomes', 'conversation')),
            ADD COLUMN continuity_outcomes integer NOT NULL DEFAULT 5
                CONSTRAINT ck_scheduled_jobs_continuity_outcomes CHECK (continuity_outcomes BETWEEN 1 AND 20),
            ADD COLUMN continuity_max_chars integer NOT NULL DEFAULT 20000
                CONSTRAINT ck_scheduled_jobs_continuity_max_chars
                CHECK (continuity_max_chars BETWEEN 1000 AND 200000)
    """)
    op.execute("ALTER TABLE run_attempts ADD COLUMN carried text")
    op.execute("""
        CREATE INDEX ix_run_attempts_carried ON run_attempts (job_id, ended_at DESC) WHERE carried IS NOT NULL
    """)
    op.execute("""
        CREATE TABLE job_continuity_resets (
            job_id uuid NOT NULL CONSTRAINT pk_job_continuity_resets PRIMARY KEY,
            context_id uuid NOT NULL
                CONSTRAINT fk_job_continuity_resets_context_id REFERENCES contexts (id) ON DELETE CASCADE,
            reset_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT fk_job_continuity_resets_job_id
                FOREIGN KEY (job_id) REFERENCES scheduled_jobs (id) ON DELETE CASCADE
        )
    """)
    op.execute("CREATE INDEX ix_job_continuity_resets_context_id ON job_continuity_resets (context_id)")
    isolate("job_continuity_resets", "writable", ["INSERT", "UPDATE"])
    op.execute("GRANT SELECT, INSERT, UPDATE ON job_continuity_resets TO rota_gateway")
    op.execute("GRANT SELECT ON job_continuity_resets, scheduled_jobs TO rota_executor")
