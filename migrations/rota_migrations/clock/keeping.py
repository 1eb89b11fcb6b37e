"""The audit of the ledger, and what is older than anybody wants to keep."""

from alembic import op

from rota_migrations.pruning import add_prune


def create_audits() -> None:
    op.execute("""
        CREATE TABLE ledger_audits (
            started_at timestamptz NOT NULL DEFAULT clock_timestamp() CONSTRAINT pk_ledger_audits PRIMARY KEY,
            since timestamptz NOT NULL,
            after_job_id uuid,
            next_batch_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            jobs bigint NOT NULL DEFAULT 0,
            unaccounted_jobs bigint NOT NULL DEFAULT 0,
            unaccounted_instants bigint NOT NULL DEFAULT 0,
            behind_jobs bigint NOT NULL DEFAULT 0,
            completed_at timestamptz
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_ledger_audits_under_way ON ledger_audits ((completed_at IS NULL))
        WHERE completed_at IS NULL
    """)


def create_auditor() -> None:
    """What the gateway becomes to look at the ledgers of all tenants, in a transaction that can only read."""
    op.execute("""
        DO $$ BEGIN
            CREATE ROLE rota_auditor NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
    """)
    # Not inherited: as itself, the gateway is under its own policies only.
    op.execute("GRANT rota_auditor TO rota_gateway WITH INHERIT FALSE, SET TRUE")
    op.execute("GRANT USAGE ON SCHEMA public TO rota_auditor")
    for table in ("scheduled_jobs", "job_revisions", "job_timers", "occurrences"):
        op.execute(f"GRANT SELECT ON {table} TO rota_auditor")
        op.execute(f"CREATE POLICY auditor ON {table} FOR SELECT TO rota_auditor USING (true)")


def create_retention() -> None:
    """Requests, cancellations, earlier definitions and audits that are old; for the gateway, of all tenants.

    A definition is kept as long as the ledger has a month in which it was in force.
    """
    op.execute("CREATE INDEX ix_run_requests_created_at ON run_requests (created_at)")
    op.execute("CREATE INDEX ix_run_cancellations_created_at ON run_cancellations (created_at)")
    op.execute("CREATE INDEX ix_job_revisions_valid_until ON job_revisions (valid_until)")
    is_open = "EXISTS (SELECT 1 FROM occurrences o WHERE o.run_id = {0}.run_id AND o.closed_at IS NULL)"
    is_planned = """
        EXISTS (SELECT 1 FROM job_timers t WHERE t.job_id = x.job_id AND t.planned_generation > x.generation)
    """
    ledger_begin = """
        (SELECT min(to_date(right(c.relname, 7), 'YYYY_MM'))
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'occurrences'::regclass AND c.relname ~ '^occurrences_\\d{4}_\\d{2}$')
    """
    old = {
        "run_requests": ("run_id", "created_at", f"NOT {is_open.format('x')}"),
        "run_cancellations": ("run_id", "created_at", f"NOT {is_open.format('x')}"),
        "job_revisions": (
            "job_id, generation",
            "valid_until",
            f"valid_until < {ledger_begin} AND {is_planned}",
        ),
        "ledger_audits": ("started_at", "started_at", "completed_at IS NOT NULL"),
    }
    for table, (key, age, condition) in old.items():
        add_prune(table, key, age, condition)
