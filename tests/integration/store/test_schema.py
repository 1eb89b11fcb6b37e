"""The schema as migrated: constraints by one convention, one writer per table, tenants apart."""

import asyncio
import os
import re
import subprocess
import sys
from uuid import UUID, uuid4

import pytest

from rota_store import Database, StatementError
from rota_store.tables import metadata
from tests.support.servers import SERVICES
from tests.support.world import World

PARTITION = re.compile(r"occurrences_(others|\d{4}_\d{2})")


async def test_the_tables_in_code_are_those_of_the_migrations(world: World) -> None:
    environment = {**os.environ, "ROTA_POSTGRES_URL": world.servers.postgres.admin_url(world.name)}
    check = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "rota_migrations", "check"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr


async def test_migrating_again_changes_nothing(world: World) -> None:
    environment = {**os.environ, "ROTA_POSTGRES_URL": world.servers.postgres.admin_url(world.name)}
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "rota_migrations", "upgrade"],
        env=environment,
        check=True,
        capture_output=True,
    )


async def test_every_constraint_and_index_is_named_by_the_convention(world: World) -> None:
    names = await world.sql(
        "SELECT conname, conrelid::regclass::text FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'f', 'u', 'c')"
        " AND conrelid <> 'alembic_version'::regclass"
        " UNION SELECT indexname, tablename FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename <> 'alembic_version'"
    )
    # The months of the ledger take their names from PostgreSQL.
    names = [(name, table) for name, table in names if not PARTITION.fullmatch(table)]
    odd = [name for name, table in names if not re.fullmatch(rf"(pk|fk|uq|ck|ix)_{table}(_\w+)?", name)]
    assert len(names) > 100
    assert odd == []


async def test_no_instant_is_without_a_time_zone(world: World) -> None:
    naive = await world.sql(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type IN ('timestamp without time zone', 'date')"
    )
    assert naive == []


async def test_every_table_has_exactly_one_service_that_writes_it(world: World) -> None:
    rows = await world.sql(
        "SELECT table_name, array_agg(DISTINCT grantee::text) FROM information_schema.role_table_grants"
        " WHERE privilege_type IN ('INSERT', 'UPDATE', 'DELETE') AND grantee::text LIKE 'rota\\_%'"
        " GROUP BY table_name"
    )
    writers = dict(rows)
    assert set(writers) == set(metadata.tables)
    assert {table: grantees for table, grantees in writers.items() if len(grantees) != 1} == {}


async def test_no_service_may_change_the_schema_or_pass_by_the_policies(world: World) -> None:
    roles = await world.sql(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'rota\\_%'"
        " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)"
    )
    assert roles == []
    for service in SERVICES:
        with pytest.raises(StatementError, match="permission denied"):
            await world.database(service).execute("CREATE TABLE mine (id int)")


async def a_tenant(world: World, role: str = "owner") -> tuple[UUID, UUID, UUID]:
    """A user, a context that the user has that role in, and a job of it."""
    user, context = await world.a_user(), await world.a_context()
    await world.sql(
        "INSERT INTO memberships (context_id, user_id, role) VALUES (:c, :u, :r)", c=context, u=user, r=role
    )
    return user, context, await world.a_job(context)


TENANT_TABLES = [
    "contexts",
    "memberships",
    "scheduled_jobs",
    "run_requests",
    "job_timers",
    "occurrences",
    "run_attempts",
    "agent_execution_results",
    "job_statistics",
    "conversations",
    "conversation_messages",
    "pending_actions",
    "notifications",
    "deliveries",
    "calendars",
    "job_revisions",
    "run_cancellations",
    "approval_decisions",
    "run_resumptions",
    "effect_decisions",
    "approval_grants",
    "grant_uses",
    "tool_effects",
    "agent_revisions",
    "notification_requests",
    "job_notebooks",
    "job_continuity_resets",
    "credentials",
    "mcp_servers",
    "mcp_discoveries",
    "mcp_tools",
    "owner_labels",
]


async def fill(world: World, context: UUID, job: UUID) -> None:
    """One row in each tenant table."""
    run, session, notification = uuid4(), uuid4(), uuid4()
    values = {"c": context, "j": job, "r": run, "s": session, "n": notification}
    for statement in (
        "INSERT INTO run_requests (run_id, job_id, context_id) VALUES (:r, :j, :c)",
        (
            "INSERT INTO job_timers (job_id, context_id, planned_generation, accounted_until)"
            " VALUES (:j, :c, 1, now())"
        ),
        """
        INSERT INTO occurrences
            (run_id, job_id, context_id, scheduled_for, effective_at, trigger, state)
        VALUES (:r, :j, :c, now(), now(), 'manual', 'queued')
        """,
        """
        INSERT INTO run_attempts
            (run_id, attempt, context_id, job_id, executor, state, session_id)
        VALUES (:r, 1, :c, :j, 'e', 'running', :s)
        """,
        """
        INSERT INTO agent_execution_results
            (run_id, context_id, schedule_id, job_name, agent_name, prompt, status, execution_duration_ms,
             attempt, trigger, session_id, scheduled_for, started_at, completed_at)
        VALUES (:r, :c, :j, 'a', 'b', 'c', 'success', 1, 1, 'manual', :s, now(), now(), now())
        """,
        "INSERT INTO job_statistics (job_id, context_id, run_count) VALUES (:j, :c, 1)",
        "INSERT INTO conversations (session_id, context_id, run_id, agent_name) VALUES (:s, :c, :r, 'b')",
        "INSERT INTO conversation_messages (session_id, position, role, content) VALUES (:s, 1, 'user', 'x')",
        "INSERT INTO pending_actions (context_id, run_id, tool_call_id, tool_name) VALUES (:c, :r, '1', 't')",
        (
            "INSERT INTO notifications (id, context_id, run_id, category, title)"
            " VALUES (:n, :c, :r, 'success', 't')"
        ),
        "INSERT INTO deliveries (notification_id, channel, context_id) VALUES (:n, 'email', :c)",
        """
        INSERT INTO tool_effects (run_id, attempt, call_id, context_id, tool_name, state)
        VALUES (:r, 1, 'call', :c, 't', 'done')
        """,
        "INSERT INTO calendars (context_id, name) VALUES (:c, 'holidays')",
        "INSERT INTO job_continuity_resets (job_id, context_id) VALUES (:j, :c)",
        """
        INSERT INTO job_revisions (job_id, generation, context_id, valid_from, valid_until, definition)
        VALUES (:j, 9, :c, now(), now(), '{}')
        """,
        """
        INSERT INTO notification_requests (id, context_id, job_id, run_id, title, body)
        VALUES (:n, :c, :j, :r, 'title', 'body')
        """,
        "INSERT INTO job_notebooks (job_id, key, context_id, value, run_id) VALUES (:j, 'k', :c, 'v', :r)",
        "INSERT INTO credentials (context_id, name, kind, sealed) VALUES (:c, 'gmail', 'google', '')",
        "INSERT INTO mcp_servers (id, context_id, name, transport) VALUES (:n, :c, 'files', 'http')",
        "INSERT INTO owner_labels (kind, object_id, context_id, owner) VALUES ('job', :j, :c, 'team')",
        "INSERT INTO mcp_discoveries (server_id, context_id) VALUES (:n, :c)",
        """
        INSERT INTO mcp_tools (server_id, context_id, name, tool, description, effect, parameters, idempotent,
                               open_world)
        VALUES (:n, :c, 'files__read', 'read', 'Reads.', 'read', '{}', true, false)
        """,
        """
        INSERT INTO agent_revisions (agent_id, revision, context_id, name, definition)
        VALUES (:r, 1, :c, 'agent', '{}')
        """,
        """
        INSERT INTO run_cancellations (run_id, context_id, job_id, scheduled_for)
        VALUES (:r, :c, :j, now())
        """,
        """
        INSERT INTO approval_decisions (action_id, run_id, context_id, decision)
        VALUES (:r, :r, :c, 'denied')
        """,
        "INSERT INTO run_resumptions (run_id, attempt, context_id, scheduled_for) VALUES (:r, 1, :c, now())",
        """
        INSERT INTO effect_decisions (effect_id, run_id, context_id, decision)
        VALUES (:r, :r, :c, 'confirmed')
        """,
        """
        INSERT INTO approval_grants (id, context_id, job_id, prompt_hash, agent_id, agent_name,
                                     agent_revision, tool_name, tool_hash, pattern, expires_at)
        VALUES (:r, :c, :j, '', :r, 'a', 1, 't', '', '{}', now())
        """,
        """
        INSERT INTO grant_uses (grant_id, number, context_id, run_id, attempt, call_id)
        VALUES (:r, 1, :c, :r, 1, '1')
        """,
    ):
        needed = {name: value for name, value in values.items() if f":{name}" in statement}
        await world.sql(statement, **needed)


async def count(database: Database, table: str, user: UUID | None) -> int:
    async with database.transaction(user) as connection:
        [row] = await connection.fetch(f"SELECT count(*) FROM {table}")
        return int(row[0])


async def test_a_tenant_sees_only_itself_in_every_table(world: World) -> None:
    gateway = world.database("gateway")
    ada, ada_context, ada_job = await a_tenant(world)
    bob, bob_context, bob_job = await a_tenant(world)
    await fill(world, ada_context, ada_job)
    await fill(world, bob_context, bob_job)
    stranger, admin = await world.a_user(), await world.a_user(is_admin=True)
    for table in TENANT_TABLES:
        seen = [await count(gateway, table, user) for user in (ada, bob, stranger, admin, None)]
        assert seen == [1, 1, 0, 2, 0], table


async def test_who_is_no_member_any_more_sees_their_own_results_and_nothing_else(world: World) -> None:
    gateway = world.database("gateway")
    ada, context, job = await a_tenant(world)
    await fill(world, context, job)
    # What is theirs is the context's too.
    for column in ("agent_execution_results.user_id", "scheduled_jobs.owner_id"):
        table, _, name = column.partition(".")
        await world.sql(f"UPDATE {table} SET {name} = :ada", ada=ada)
    seen = {table: await count(gateway, table, ada) for table in TENANT_TABLES}
    assert set(seen.values()) == {1}, seen
    await world.sql("DELETE FROM memberships WHERE user_id = :ada", ada=ada)
    seen = {table: await count(gateway, table, ada) for table in TENANT_TABLES}
    assert {table: rows for table, rows in seen.items() if rows} == {"agent_execution_results": 1}


async def test_a_transaction_leaves_no_user_behind_in_its_connection(world: World) -> None:
    gateway = Database(world.environment("gateway")["ROTA_POSTGRES_URL"], application="test", pool_size=1)
    ada, *_ = await a_tenant(world)
    assert await count(gateway, "contexts", ada) == 1
    assert await count(gateway, "contexts", None) == 0
    await gateway.close()


@pytest.mark.parametrize("role", ["owner", "editor", "operator", "viewer"])
async def test_a_role_in_a_context_says_what_may_be_written(world: World, role: str) -> None:
    gateway = world.database("gateway")
    user, context, job = await a_tenant(world, role)

    async def touched(statement: str, **values: object) -> int:
        async with gateway.transaction(user) as connection:
            return await connection.execute(statement, values)

    edits = await touched("UPDATE scheduled_jobs SET description = 'x' WHERE id = :j", j=job)
    assert edits == (1 if role in {"owner", "editor"} else 0)
    renames = await touched("UPDATE contexts SET name = :n WHERE id = :c", n=f"x {context}", c=context)
    assert renames == (1 if role == "owner" else 0)
    statement = (
        "INSERT INTO approval_decisions (action_id, run_id, context_id, decision)"
        " VALUES (:j, :j, :c, 'denied')"
    )
    if role in {"owner", "operator"}:
        assert await touched(statement, j=job, c=context) == 1
    else:
        with pytest.raises(StatementError, match="row-level security"):
            await touched(statement, j=job, c=context)


async def test_nothing_can_be_written_into_a_foreign_context(world: World) -> None:
    gateway = world.database("gateway")
    ada, _, ada_job = await a_tenant(world)
    _, bob_context, _ = await a_tenant(world)
    for statement, values in (
        ("INSERT INTO scheduled_jobs (context_id, name, cron_expression) VALUES (:c, 'n', '* * * * *')", {}),
        ("INSERT INTO run_requests (job_id, context_id) VALUES (:j, :c)", {"j": ada_job}),
        ("INSERT INTO memberships (context_id, user_id, role) VALUES (:c, :u, 'owner')", {"u": ada}),
        ("UPDATE scheduled_jobs SET context_id = :c WHERE id = :j", {"j": ada_job}),
    ):
        with pytest.raises(StatementError, match="row-level security"):
            async with gateway.transaction(ada) as connection:
                await connection.execute(statement, {**values, "c": bob_context})


async def test_deleting_a_context_deletes_all_that_belongs_to_it(world: World) -> None:
    ada, context, job = await a_tenant(world)
    await fill(world, context, job)
    async with world.database("gateway").transaction(ada) as connection:
        await connection.execute("DELETE FROM contexts WHERE id = :c", {"c": context})
    for table in TENANT_TABLES:
        assert await world.value(f"SELECT count(*) FROM {table}") == 0, table


async def test_a_change_of_a_job_is_a_new_generation(world: World) -> None:
    job = await world.a_job(await world.a_context())
    await world.sql("UPDATE scheduled_jobs SET description = 'x' WHERE id = :id", id=job)
    [row] = await world.sql("SELECT generation, updated_at > created_at FROM scheduled_jobs")
    assert tuple(row) == (2, True)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE scheduled_jobs SET timeout_seconds = 29",
        "UPDATE scheduled_jobs SET timeout_seconds = 3601",
        "UPDATE scheduled_jobs SET name = ''",
        "UPDATE scheduled_jobs SET skill_prompt = repeat('x', 5001)",
        "UPDATE scheduled_jobs SET notification_channel = 'email'",
        "UPDATE scheduled_jobs SET overlap_policy = 'sometimes'",
        "UPDATE occurrences SET state = 'closed'",
        "UPDATE occurrences SET state = 'asleep'",
        "UPDATE agent_execution_results SET result_content = repeat('x', 50001)",
        "UPDATE agent_execution_results SET status = 'maybe'",
        "UPDATE run_attempts SET state = 'ended'",
        "UPDATE deliveries SET state = 'lost'",
        "UPDATE notifications SET category = 'spam'",
    ],
)
async def test_a_state_that_cannot_be_is_refused_by_the_database(world: World, statement: str) -> None:
    context = await world.a_context()
    await fill(world, context, await world.a_job(context))
    with pytest.raises(StatementError, match="violates check constraint"):
        await world.sql(statement)
