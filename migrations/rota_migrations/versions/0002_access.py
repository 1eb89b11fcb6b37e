"""Who may do what: a role per service with grants for its own tables, row level security for tenants.

One writer per table is a grant. A tenant's rows are shown to the gateway only for the user that the
transaction names (setting `rota.user_id`); without a user it sees none of them. The other services
act for all tenants.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SERVICES = ("gateway", "ticker", "executor", "results", "notifier")

# Columns: table, privileges; what is not listed is not granted.
WRITES = {
    "rota_gateway": {
        "contexts": "SELECT, INSERT, UPDATE, DELETE",
        "users": "SELECT, INSERT, UPDATE",
        "memberships": "SELECT, INSERT, UPDATE, DELETE",
        "api_keys": "SELECT, INSERT, UPDATE",
        "sessions": "SELECT, INSERT, UPDATE, DELETE",
        "sign_in_links": "SELECT, INSERT, UPDATE, DELETE",
        "idempotency_keys": "SELECT, INSERT, UPDATE, DELETE",
        "agent_configurations": "SELECT, INSERT, UPDATE, DELETE",
        "tools": "SELECT, INSERT, UPDATE",
        "agent_tools": "SELECT, INSERT, UPDATE, DELETE",
        "scheduled_jobs": "SELECT, INSERT, UPDATE, DELETE",
        "run_requests": "SELECT, INSERT",
        "notification_reads": "SELECT, INSERT",
    },
    "rota_ticker": {
        "job_timers": "SELECT, INSERT, UPDATE",
        "occurrences": "SELECT, INSERT, UPDATE",
    },
    "rota_executor": {"run_attempts": "SELECT, INSERT, UPDATE"},
    "rota_results": {
        "agent_execution_results": "SELECT, INSERT, UPDATE",
        "job_statistics": "SELECT, INSERT, UPDATE",
        "conversations": "SELECT, INSERT",
        "conversation_messages": "SELECT, INSERT",
        "pending_actions": "SELECT, INSERT",
    },
    "rota_notifier": {
        "notifications": "SELECT, INSERT",
        "deliveries": "SELECT, INSERT, UPDATE",
    },
}

READS = {
    "rota_gateway": (
        "job_timers, occurrences, run_attempts, agent_execution_results, job_statistics, conversations, "
        "conversation_messages, pending_actions, notifications, deliveries"
    ),
    "rota_ticker": "contexts, scheduled_jobs, run_requests, run_attempts",
    "rota_executor": "contexts, agent_configurations, agent_tools, tools, occurrences",
    "rota_results": "contexts, users, scheduled_jobs, run_attempts",
    "rota_notifier": "contexts, scheduled_jobs, run_attempts, agent_execution_results, pending_actions",
}

# Tenant tables that have a context_id, and whether the gateway writes them.
READ_BY_TENANT = (
    "job_timers",
    "occurrences",
    "run_attempts",
    "job_statistics",
    "conversations",
    "conversation_messages",
    "pending_actions",
    "notifications",
    "deliveries",
)


def upgrade() -> None:
    _create_roles()
    _grant()
    _create_visibility_functions()
    _create_policies()
    _create_touch_trigger()


def _create_roles() -> None:
    for service in SERVICES:
        op.execute(f"""
            DO $$ BEGIN
                CREATE ROLE rota_{service} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$
        """)


def _grant() -> None:
    for service in SERVICES:
        op.execute(f"GRANT USAGE ON SCHEMA public TO rota_{service}")
    for role, tables in WRITES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, readable in READS.items():
        op.execute(f"GRANT SELECT ON {readable} TO {role}")


def _create_visibility_functions() -> None:
    """They run as the owner of the tables, so that the policies that call them do not recurse."""
    op.execute("""
        CREATE FUNCTION rota_user() RETURNS uuid LANGUAGE sql STABLE AS
        $$ SELECT nullif(current_setting('rota.user_id', true), '')::uuid $$
    """)
    for name, condition in (
        ("rota_visible_contexts", "true"),
        ("rota_writable_contexts", "m.role IN ('owner', 'editor')"),
        ("rota_owned_contexts", "m.role = 'owner'"),
    ):
        op.execute(f"""
            CREATE FUNCTION {name}() RETURNS SETOF uuid
            LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
                SELECT m.context_id FROM memberships m WHERE m.user_id = rota_user() AND {condition}
                UNION
                SELECT c.id FROM contexts c
                WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = rota_user() AND u.is_admin)
            $$
        """)
    op.execute("""
        CREATE FUNCTION rota_is_memberless(context uuid) RETURNS boolean
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
        $$ SELECT NOT EXISTS (SELECT 1 FROM memberships m WHERE m.context_id = context) $$
    """)


def _visible(function: str, column: str = "context_id") -> str:
    # An array from a subquery is computed once per statement and lets the planner use the index.
    return f"{column} = ANY (ARRAY(SELECT {function}()))"


def _policy(table: str, command: str, *, using: str | None = None, check: str | None = None) -> None:
    clauses = (f" USING ({using})" if using else "") + (f" WITH CHECK ({check})" if check else "")
    op.execute(f"CREATE POLICY gateway_{command.lower()} ON {table} FOR {command} TO rota_gateway{clauses}")


def _create_policies() -> None:
    tables = (
        "contexts",
        "memberships",
        "agent_configurations",
        "agent_tools",
        "scheduled_jobs",
        "run_requests",
        "notification_reads",
        "agent_execution_results",
        *READ_BY_TENANT,
    )
    others = ", ".join(f"rota_{service}" for service in SERVICES if service != "gateway")
    for table in tables:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY services ON {table} TO {others} USING (true) WITH CHECK (true)")
    _create_definition_policies()
    _create_record_policies()


def _create_definition_policies() -> None:
    _policy("contexts", "SELECT", using=_visible("rota_visible_contexts", "id"))
    _policy("contexts", "INSERT", check="rota_user() IS NOT NULL")
    _policy("contexts", "UPDATE", using=_visible("rota_owned_contexts", "id"))
    _policy("contexts", "DELETE", using=_visible("rota_owned_contexts", "id"))
    _policy("memberships", "SELECT", using=_visible("rota_visible_contexts"))
    founder = "user_id = rota_user() AND role = 'owner' AND rota_is_memberless(context_id)"
    _policy("memberships", "INSERT", check=f"({_visible('rota_owned_contexts')}) OR ({founder})")
    _policy("memberships", "UPDATE", using=_visible("rota_owned_contexts"))
    _policy("memberships", "DELETE", using=_visible("rota_owned_contexts"))

    admin = "EXISTS (SELECT 1 FROM users u WHERE u.id = rota_user() AND u.is_admin)"
    shared = f"(context_id IS NULL AND {admin})"
    writable = f"({_visible('rota_writable_contexts')}) OR {shared}"
    _policy(
        "agent_configurations",
        "SELECT",
        using=f"rota_user() IS NOT NULL AND (context_id IS NULL OR {_visible('rota_visible_contexts')})",
    )
    _policy("agent_configurations", "INSERT", check=writable)
    _policy("agent_configurations", "UPDATE", using=writable)
    _policy("agent_configurations", "DELETE", using=writable)
    # The subquery is itself under the policies of agent_configurations.
    of_agent = "EXISTS (SELECT 1 FROM agent_configurations a WHERE a.id = agent_id{})"
    _policy("agent_tools", "SELECT", using=of_agent.format(""))
    of_writable = of_agent.format(
        f" AND (a.{_visible('rota_writable_contexts')} OR (a.context_id IS NULL AND {admin}))"
    )
    for command in ("INSERT", "UPDATE", "DELETE"):
        clause = {"check": of_writable} if command == "INSERT" else {"using": of_writable}
        _policy("agent_tools", command, **clause)

    for table in ("scheduled_jobs", "run_requests"):
        _policy(table, "SELECT", using=_visible("rota_visible_contexts"))
        _policy(table, "INSERT", check=_visible("rota_writable_contexts"))
    _policy("scheduled_jobs", "UPDATE", using=_visible("rota_writable_contexts"))
    _policy("scheduled_jobs", "DELETE", using=_visible("rota_writable_contexts"))


def _create_record_policies() -> None:
    for table in READ_BY_TENANT:
        if table in {"job_timers", "job_statistics"}:
            _policy(table, "SELECT", using="EXISTS (SELECT 1 FROM scheduled_jobs j WHERE j.id = job_id)")
        elif table == "conversation_messages":
            owner = (
                "EXISTS (SELECT 1 FROM conversations c WHERE c.session_id = conversation_messages.session_id)"
            )
            _policy(table, "SELECT", using=owner)
        else:
            _policy(table, "SELECT", using=_visible("rota_visible_contexts"))
    own_or_member = f"user_id = rota_user() OR {_visible('rota_visible_contexts')}"
    _policy("agent_execution_results", "SELECT", using=own_or_member)
    _policy("notification_reads", "SELECT", using="user_id = rota_user()")
    visible = "EXISTS (SELECT 1 FROM notifications n WHERE n.id = notification_id)"
    _policy("notification_reads", "INSERT", check=f"user_id = rota_user() AND {visible}")


def _create_touch_trigger() -> None:
    """Every change of a definition is a new generation, visible to whoever reads by transaction id."""
    op.execute("""
        CREATE FUNCTION rota_touch_job() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.generation := OLD.generation + 1;
            NEW.changed_xid := pg_current_xact_id();
            NEW.updated_at := clock_timestamp();
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER touch BEFORE UPDATE ON scheduled_jobs
        FOR EACH ROW EXECUTE FUNCTION rota_touch_job()
    """)
