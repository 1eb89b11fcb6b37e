"""Outcomes that are to be published: of each batch that was written together one row, not one of each run."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE unpublished_outcomes RENAME TO unpublished_before")
    op.execute(
        "ALTER TABLE unpublished_before RENAME CONSTRAINT pk_unpublished_outcomes TO pk_unpublished_before"
    )
    op.execute("""
        CREATE TABLE unpublished_outcomes (
            id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT pk_unpublished_outcomes PRIMARY KEY,
            run_ids uuid[] NOT NULL,
            attempts integer[] NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        INSERT INTO unpublished_outcomes (run_ids, attempts, created_at)
        SELECT ARRAY[run_id], ARRAY[attempt], created_at FROM unpublished_before
    """)
    op.execute("DROP TABLE unpublished_before")
    op.execute("GRANT SELECT, INSERT, DELETE ON unpublished_outcomes TO rota_executor")
