"""Agents that can be left alone: every save of an agent is kept, and a tool's policy may be its own.

A link without a policy has the one that the tool's annotation says, as it is when the run begins. A link
may name a tool that is gone: the run goes on without it, with a warning.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WRITES = {
    "rota_gateway": {"agent_revisions": "SELECT, INSERT"},
    "rota_executor": {
        "tools": "SELECT, INSERT, UPDATE, DELETE",
        "model_providers": "SELECT, INSERT, UPDATE, DELETE",
        "notification_requests": "SELECT, INSERT, DELETE",
        "job_notebooks": "SELECT, INSERT, UPDATE, DELETE",
    },
}
READS = {
    "rota_gateway": "model_providers, notification_requests, job_notebooks",
    "rota_notifier": "notification_requests",
}

OTHERS = "rota_ticker, rota_executor, rota_results, rota_notifier"
VISIBLE = "context_id = ANY (ARRAY(SELECT rota_visible_contexts()))"
WRITABLE = "context_id = ANY (ARRAY(SELECT rota_writable_contexts()))"
IS_ADMIN = "EXISTS (SELECT 1 FROM users u WHERE u.id = rota_user() AND u.is_admin)"


def upgrade() -> None:
    _allow_hosts()
    _announce_tools()
    _loosen_links()
    _create_agent_revisions()
    _take_messages()
    _create_notebooks()
    _grant()


def _allow_hosts() -> None:
    """Which hosts tools of a context may reach wherever they are: what an administrator opens, nobody else."""
    op.execute("""
        ALTER TABLE contexts ADD COLUMN allowed_hosts text[] NOT NULL DEFAULT '{}',
            ADD CONSTRAINT ck_contexts_allowed_hosts_count CHECK (cardinality(allowed_hosts) <= 100)
    """)
    op.execute(f"""
        CREATE FUNCTION rota_guard_allowed_hosts() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            IF rota_user() IS NOT NULL AND NOT {IS_ADMIN} THEN
                RAISE insufficient_privilege USING MESSAGE = 'only an administrator may change allowed_hosts';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER guard_new_hosts BEFORE INSERT ON contexts
        FOR EACH ROW WHEN (NEW.allowed_hosts <> '{}') EXECUTE FUNCTION rota_guard_allowed_hosts()
    """)
    op.execute("""
        CREATE TRIGGER guard_allowed_hosts BEFORE UPDATE ON contexts
        FOR EACH ROW WHEN (NEW.allowed_hosts IS DISTINCT FROM OLD.allowed_hosts)
        EXECUTE FUNCTION rota_guard_allowed_hosts()
    """)


def _announce_tools() -> None:
    """Who has a tool says so: the gateway knows no tools of its own any more."""
    op.execute("""
        ALTER TABLE tools
            ADD COLUMN idempotent boolean NOT NULL DEFAULT false,
            ADD COLUMN open_world boolean NOT NULL DEFAULT false,
            ADD COLUMN transactional boolean NOT NULL DEFAULT false,
            ADD COLUMN timeout_seconds double precision,
            ADD COLUMN default_policy text,
            ADD COLUMN source text NOT NULL DEFAULT 'rota',
            ADD COLUMN announced_at timestamptz NOT NULL DEFAULT now(),
            ADD CONSTRAINT ck_tools_default_policy CHECK (default_policy IN ('auto', 'ask', 'deny')),
            ADD CONSTRAINT ck_tools_timeout_seconds CHECK (timeout_seconds > 0)
    """)
    op.execute("REVOKE INSERT, UPDATE ON tools FROM rota_gateway")
    op.execute("""
        CREATE TABLE model_providers (
            name text NOT NULL CONSTRAINT pk_model_providers PRIMARY KEY,
            announced_at timestamptz NOT NULL DEFAULT now()
        )
    """)


def _loosen_links() -> None:
    op.execute("""
        ALTER TABLE agent_tools DROP CONSTRAINT fk_agent_tools_tool_name,
            ALTER COLUMN policy DROP NOT NULL, ALTER COLUMN policy DROP DEFAULT
    """)


def _create_agent_revisions() -> None:
    op.execute("""
        CREATE TABLE agent_revisions (
            agent_id uuid NOT NULL,
            revision integer NOT NULL,
            context_id uuid,
            name text NOT NULL,
            definition jsonb NOT NULL,
            created_by uuid,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_agent_revisions PRIMARY KEY (agent_id, revision),
            CONSTRAINT fk_agent_revisions_context_id
                FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE CASCADE,
            CONSTRAINT fk_agent_revisions_created_by
                FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
            CONSTRAINT uq_agent_revisions_context_id_name_revision
                UNIQUE NULLS NOT DISTINCT (context_id, name, revision)
        )
    """)
    op.execute("""
        INSERT INTO agent_revisions (agent_id, revision, context_id, name, definition, created_at)
        SELECT a.id, a.revision, a.context_id, a.name, jsonb_build_object(
            'description', a.description, 'model', a.model, 'fallback_models', a.fallback_models,
            'system_prompt', a.system_prompt, 'model_settings', a.model_settings, 'examples', a.examples,
            'style', a.style, 'grounding', a.grounding, 'limits', a.limits,
            'max_concurrent_runs', a.max_concurrent_runs, 'tools', coalesce((
                SELECT jsonb_agg(jsonb_build_object(
                    'tool_name', t.tool_name, 'mode', t.mode, 'policy', t.policy, 'arguments', t.arguments)
                    ORDER BY t.position, t.tool_name)
                FROM agent_tools t WHERE t.agent_id = a.id), '[]')
            ), a.updated_at
        FROM agent_configurations a
    """)
    shared = f"context_id IS NULL AND {IS_ADMIN}"
    op.execute("ALTER TABLE agent_revisions ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY services ON agent_revisions TO {OTHERS} USING (true) WITH CHECK (true)")
    op.execute(
        "CREATE POLICY gateway_select ON agent_revisions FOR SELECT TO rota_gateway"
        f" USING (rota_user() IS NOT NULL AND (context_id IS NULL OR {VISIBLE}))"
    )
    op.execute(
        "CREATE POLICY gateway_insert ON agent_revisions FOR INSERT TO rota_gateway"
        f" WITH CHECK (({WRITABLE}) OR ({shared}))"
    )


def _take_messages() -> None:
    """What runs want people told: of a run there may be several, of everything else one of each kind."""
    op.execute("""
        CREATE TABLE notification_requests (
            id uuid NOT NULL CONSTRAINT pk_notification_requests PRIMARY KEY,
            context_id uuid NOT NULL,
            job_id uuid NOT NULL,
            run_id uuid NOT NULL,
            title text NOT NULL,
            body text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT fk_notification_requests_context_id
                FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE CASCADE,
            CONSTRAINT ck_notification_requests_lengths CHECK (length(title) <= 200 AND length(body) <= 4000)
        )
    """)
    for columns in ("context_id", "run_id", "created_at"):
        op.execute(f"CREATE INDEX ix_notification_requests_{columns} ON notification_requests ({columns})")
    op.execute("""
        ALTER TABLE notifications DROP CONSTRAINT uq_notifications_run_id_category,
            DROP CONSTRAINT ck_notifications_category,
            ADD CONSTRAINT ck_notifications_category
                CHECK (category IN ('success', 'error', 'approval_needed', 'paused', 'message'))
    """)
    op.execute("""
        CREATE UNIQUE INDEX uq_notifications_run_id_category ON notifications (run_id, category)
        WHERE category <> 'message'
    """)
    op.execute("ALTER TABLE notification_requests ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY services ON notification_requests TO {OTHERS} USING (true) WITH CHECK (true)")
    op.execute(
        f"CREATE POLICY gateway_select ON notification_requests FOR SELECT TO rota_gateway USING ({VISIBLE})"
    )


def _create_notebooks() -> None:
    """What runs of a job note for the next ones. A person may clear it, by a function that runs as its owner."""
    op.execute("""
        CREATE TABLE job_notebooks (
            job_id uuid NOT NULL,
            key text NOT NULL,
            context_id uuid NOT NULL,
            value text NOT NULL,
            run_id uuid NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_job_notebooks PRIMARY KEY (job_id, key),
            CONSTRAINT fk_job_notebooks_context_id
                FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE CASCADE,
            CONSTRAINT ck_job_notebooks_lengths CHECK (length(key) BETWEEN 1 AND 100 AND length(value) <= 10000)
        )
    """)
    op.execute("CREATE INDEX ix_job_notebooks_context_id ON job_notebooks (context_id)")
    op.execute("ALTER TABLE job_notebooks ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY services ON job_notebooks TO {OTHERS} USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY gateway_select ON job_notebooks FOR SELECT TO rota_gateway USING ({VISIBLE})")
    op.execute(f"""
        CREATE FUNCTION rota_clear_notebook(job uuid) RETURNS void
        LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
            DELETE FROM job_notebooks WHERE job_id = job AND {WRITABLE}
        $$
    """)
    op.execute("REVOKE ALL ON FUNCTION rota_clear_notebook(uuid) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION rota_clear_notebook(uuid) TO rota_gateway")
    # No foreign key: a run that ends when its job has just been deleted still ends.
    op.execute("""
        CREATE FUNCTION rota_drop_notebook() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            DELETE FROM job_notebooks WHERE job_id = OLD.id;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER drop_notebook AFTER DELETE ON scheduled_jobs
        FOR EACH ROW EXECUTE FUNCTION rota_drop_notebook()
    """)


def _grant() -> None:
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        op.execute(f"GRANT SELECT ON {readable} TO {role}")
