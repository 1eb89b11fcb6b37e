"""Each service deletes its own rows when they are older than is wanted, and none of an open run."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_chassis.lifecycle import Lifetime
from rota_chassis.settings import ServiceSettings
from rota_executor import service as executor_service
from rota_executor.repository.retention import RETENTION as EXECUTOR
from rota_executor.settings import ExecutorSettings
from rota_gateway import service as gateway_service
from rota_gateway.repository.retention import RETENTION as GATEWAY
from rota_gateway.settings import GatewaySettings
from rota_notifier import service as notifier_service
from rota_notifier.repository import RETENTION as NOTIFIER
from rota_notifier.settings import NotifierSettings
from rota_results import service as results_service
from rota_results.repository import RETENTION as RESULTS
from rota_results.settings import ResultsSettings
from rota_store import prune
from tests.support.eventually import eventually
from tests.support.world import World

DAY = timedelta(days=1)
KEPT = 30 * DAY
STATEMENTS: dict[str, Mapping[str, str]] = {
    "executor": EXECUTOR,
    "results": RESULTS,
    "notifier": NOTIFIER,
    "gateway": GATEWAY,
}
# What a run leaves behind, with the column that says how old it is.
TABLES = {
    "executor": ("run_attempts", "tool_effects", "notification_requests"),
    "results": ("agent_execution_results", "conversations", "conversation_messages", "pending_actions"),
    "notifier": ("notifications", "deliveries"),
    "gateway": (
        *("run_requests", "run_cancellations", "job_revisions", "ledger_audits"),
        *("approval_decisions", "run_resumptions"),
    ),
}
WIRINGS: dict[str, tuple[Callable[..., AbstractAsyncContextManager[None]], type[ServiceSettings]]] = {
    "executor": (executor_service.wiring, ExecutorSettings),
    "results": (results_service.wiring, ResultsSettings),
    "notifier": (notifier_service.wiring, NotifierSettings),
    "gateway": (gateway_service.wiring, GatewaySettings),
}


async def enter(world: World, table: str, **columns: Any) -> None:
    names, places = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    await world.sql(f"INSERT INTO {table} ({names}) VALUES ({places})", **columns)


async def a_run(world: World, job: UUID, age: timedelta, *, is_open: bool = False, **attempt: Any) -> UUID:
    """A run of so long ago, with a row of it in every table that is to be pruned."""
    at, session, notice = datetime.now(UTC) - age, uuid4(), uuid4()
    ledger = {} if is_open else {"state": "closed", "disposition": "ran", "closed_at": at}
    run = await world.an_occurrence(job, scheduled_for=at, effective_at=at, **ledger)
    context = await world.value("SELECT context_id FROM scheduled_jobs WHERE id = :id", id=job)
    of_run = {"context_id": context, "run_id": run}
    of_job = {**of_run, "job_id": job}
    ended = {"state": "ended", "ended_at": at, "outcome": "{}"} | attempt
    begun = {"attempt": 1, "executor": "e", "session_id": session, "started_at": at}
    await enter(world, "run_attempts", **of_job, **begun, **ended)
    await enter(world, "tool_effects", **of_run, attempt=1, call_id="call", tool_name="t", state="done")
    told = {"title": "t", "body": "b", "created_at": at}
    await enter(world, "notification_requests", id=notice, **of_job, **told)
    who = {"schedule_id": job, "job_name": "a", "agent_name": "b", "prompt": "c", "session_id": session}
    how = {"status": "success", "execution_duration_ms": 1, "attempt": 1, "trigger": "manual"}
    when = dict.fromkeys(("scheduled_for", "started_at", "completed_at", "created_at"), at)
    await enter(world, "agent_execution_results", **of_run, **who, **how, **when)
    await enter(world, "conversations", **of_run, session_id=session, agent_name="b")
    await enter(world, "conversation_messages", session_id=session, position=1, role="user", content="x")
    await enter(world, "pending_actions", **of_run, tool_call_id="1", tool_name="t", status="denied")
    decided = {"action_id": uuid4(), "decision": "denied", "decided_at": at}
    await enter(world, "approval_decisions", **of_run, **decided)
    await enter(world, "run_resumptions", **of_run, attempt=1, scheduled_for=at, created_at=at)
    await enter(world, "notifications", id=notice, **of_run, category="success", **told)
    sent = {"notification_id": notice, "channel": "email", "state": "delivered"}
    await enter(world, "deliveries", context_id=context, **sent)
    await enter(world, "run_requests", **of_job, created_at=at)
    await enter(world, "run_cancellations", **of_job, scheduled_for=at, created_at=at)
    return run


async def count(world: World, table: str) -> int:
    found: int = await world.value(f"SELECT count(*) FROM {table}")
    return found


async def pruned(world: World, service: str) -> int:
    return await prune(world.database(service), STATEMENTS[service], KEPT)


@pytest.mark.parametrize("service", STATEMENTS)
async def test_old_rows_go_and_those_of_an_open_run_stay(world: World, service: str) -> None:
    job = await world.a_job(await world.a_context())
    for age in (10 * DAY, 29 * DAY, 31 * DAY, 200 * DAY):
        await a_run(world, job, age)
    await a_run(world, job, 300 * DAY, is_open=True)
    tables = [table for table in TABLES[service] if table not in {"job_revisions", "ledger_audits"}]
    others = [table for name, held in TABLES.items() if name != service for table in held]
    before = {table: await count(world, table) for table in others}
    assert await pruned(world, service) > 0
    assert {table: await count(world, table) for table in tables} == dict.fromkeys(tables, 3)
    assert {table: await count(world, table) for table in others} == before
    assert await pruned(world, service) == 0
    await world.sql(
        "UPDATE occurrences SET state = 'closed', disposition = 'ran', closed_at = now()"
        " WHERE closed_at IS NULL"
    )
    await pruned(world, service)
    assert {table: await count(world, table) for table in tables} == dict.fromkeys(tables, 2)


async def test_more_than_a_batch_is_deleted_batch_by_batch(world: World) -> None:
    context = await world.a_context()
    await world.sql(
        "INSERT INTO notifications (id, context_id, run_id, category, title, created_at)"
        " SELECT gen_random_uuid(), :c, gen_random_uuid(), 'success', 't', now() - n * interval '1 min'"
        " - interval '29 days' FROM generate_series(1, 3000) n",
        c=context,
    )
    kept = 24 * 60
    assert await pruned(world, "notifier") == 3000 - kept + 1
    assert await count(world, "notifications") == kept - 1


async def test_two_at_once_delete_each_row_once(world: World) -> None:
    context = await world.a_context()
    await world.sql(
        "INSERT INTO notifications (id, context_id, run_id, category, title, created_at)"
        " SELECT gen_random_uuid(), :c, gen_random_uuid(), 'success', 't', now() - interval '40 days'"
        " FROM generate_series(1, 2000) n",
        c=context,
    )
    assert sum(await asyncio.gather(*(pruned(world, "notifier") for _ in range(3)))) == 2000
    assert await count(world, "notifications") == 0


async def test_what_is_still_to_be_sent_is_kept(world: World) -> None:
    await a_run(world, await world.a_job(await world.a_context()), 90 * DAY)
    await world.sql("UPDATE deliveries SET state = 'pending'")
    assert await pruned(world, "notifier") == 0
    await world.sql("UPDATE deliveries SET state = 'failed'")
    assert await pruned(world, "notifier") == 1


async def test_an_attempt_that_never_ended_goes_when_nothing_of_its_run_is_open(world: World) -> None:
    """Its executor vanished, and its job was deleted before another could take it."""
    lost: dict[str, Any] = {"state": "running", "ended_at": None, "outcome": None}
    job = await world.a_job(await world.a_context())
    await a_run(world, job, 90 * DAY, **lost)
    await a_run(world, job, 90 * DAY, is_open=True, **lost)
    await a_run(world, job, 5 * DAY, **lost)
    assert await pruned(world, "executor") == 1
    assert await count(world, "run_attempts") == 2


async def test_what_the_statistics_tell_of_the_last_run_outlives_it_without_a_link_to_nowhere(
    world: World,
) -> None:
    context = await world.a_context()
    job = await world.a_job(context)
    run = await a_run(world, job, 90 * DAY)
    await world.sql(
        "INSERT INTO job_statistics (job_id, context_id, run_count, last_run_id, last_run_status)"
        " VALUES (:j, :c, 1, :r, 'success')",
        j=job,
        c=context,
        r=run,
    )
    await pruned(world, "results")
    [row] = await world.sql("SELECT run_count, last_run_id, last_run_status FROM job_statistics")
    assert tuple(row) == (1, None, "success")


async def test_an_earlier_definition_is_kept_as_long_as_the_ledger_and_as_the_ticker_needs_it(
    world: World,
) -> None:
    job = await world.a_job(await world.a_context())
    begin = await world.value("SELECT date_trunc('month', now()) - interval '1 month'")
    definition = json.dumps({})
    for number, until in enumerate((begin - DAY, begin - DAY, begin + DAY), 1):
        await world.sql(
            "INSERT INTO job_revisions (job_id, generation, context_id, valid_from, valid_until, definition)"
            " SELECT id, :g, context_id, :until, :until, CAST(:d AS jsonb) FROM scheduled_jobs",
            g=number,
            until=until,
            d=definition,
        )
    await world.sql(
        "INSERT INTO job_timers (job_id, context_id, planned_generation, accounted_until)"
        " SELECT id, context_id, 2, now() FROM scheduled_jobs"
    )
    gateway = world.database("gateway")
    await prune(gateway, GATEWAY, timedelta(0))
    left = await world.sql("SELECT generation FROM job_revisions ORDER BY 1")
    assert [row.generation for row in left] == [2, 3]
    await world.sql("UPDATE job_timers SET planned_generation = 4")
    await prune(gateway, GATEWAY, timedelta(0))
    assert [row.generation for row in await world.sql("SELECT generation FROM job_revisions")] == [3]
    assert await world.value("SELECT id FROM scheduled_jobs") == job


async def test_a_decision_is_kept_while_a_call_beside_it_waits(world: World) -> None:
    job = await world.a_job(await world.a_context())
    run = await a_run(world, job, 90 * DAY)
    context = await world.value("SELECT context_id FROM scheduled_jobs")
    await enter(
        world, "pending_actions", context_id=context, run_id=run, tool_call_id="beside", tool_name="t"
    )
    await pruned(world, "gateway")
    assert await count(world, "approval_decisions") == 1
    await world.sql("UPDATE pending_actions SET status = 'expired'")
    await pruned(world, "gateway")
    assert await count(world, "approval_decisions") == 0


async def test_a_persons_word_on_a_call_goes_after_the_call(world: World) -> None:
    """Else the call would be open again."""
    await a_run(world, await world.a_job(await world.a_context()), 90 * DAY)
    await world.sql(
        "INSERT INTO effect_decisions (effect_id, run_id, context_id, decision, decided_at)"
        " SELECT id, run_id, context_id, 'confirmed', :at FROM tool_effects",
        at=datetime.now(UTC) - 90 * DAY,
    )
    await pruned(world, "gateway")
    assert await count(world, "effect_decisions") == 1
    await pruned(world, "executor")
    await pruned(world, "gateway")
    assert await count(world, "effect_decisions") == 0


async def test_a_grant_goes_when_it_has_long_been_over_and_its_uses_are_counted_until_then(
    world: World,
) -> None:
    context = await world.a_context()
    job = await world.a_job(context)
    for over in (90 * DAY, -DAY):
        grant = uuid4()
        bound = {"prompt_hash": b"", "agent_id": job, "agent_name": "a", "agent_revision": 1}
        about = {"tool_name": "t", "tool_hash": b"", "expires_at": datetime.now(UTC) - over}
        await world.sql(
            "INSERT INTO approval_grants (id, context_id, job_id, prompt_hash, agent_id, agent_name,"
            " agent_revision, tool_name, tool_hash, pattern, expires_at) VALUES (:id, :context, :job,"
            " :prompt_hash, :agent_id, :agent_name, :agent_revision, :tool_name, :tool_hash, '{}',"
            " :expires_at)",
            **{"id": grant, "context": context, "job": job, **bound, **about},
        )
        for number, age in enumerate((300, 200, 100), 1):
            used = {"run_id": uuid4(), "attempt": 1, "call_id": "c", "used_at": datetime.now(UTC) - age * DAY}
            await enter(world, "grant_uses", grant_id=grant, number=number, context_id=context, **used)
    assert await pruned(world, "executor") == 4
    assert [row.number for row in await world.sql("SELECT number FROM grant_uses")] == [3, 3]
    assert await pruned(world, "gateway") == 1
    assert [row.grant_id for row in await world.sql("SELECT grant_id FROM grant_uses")] == [grant]


async def test_audits_that_are_over_go_and_the_one_under_way_stays(world: World) -> None:
    for age, completed in ((90 * DAY, True), (DAY, True), (95 * DAY, False)):
        at = datetime.now(UTC) - age
        await world.sql(
            "INSERT INTO ledger_audits (started_at, since, completed_at) VALUES (:at, :at, :completed)",
            at=at,
            completed=at if completed else None,
        )
    assert await pruned(world, "gateway") == 1
    assert await count(world, "ledger_audits") == 2


@pytest.mark.parametrize(
    ("service", "table", "age"),
    [
        ("executor", "run_attempts", "ended_at"),
        ("results", "agent_execution_results", "created_at"),
        ("notifier", "notifications", "created_at"),
    ],
)
async def test_what_is_old_is_found_by_an_index(world: World, service: str, table: str, age: str) -> None:
    """Also where almost nothing is."""
    job = await world.a_job(await world.a_context())
    run = await a_run(world, job, 90 * DAY)
    rows = await world.sql(
        "SELECT column_name::text AS name FROM information_schema.columns WHERE table_name = :t", t=table
    )
    own = {
        "run_id": "gen_random_uuid()",
        "id": "gen_random_uuid()",
        "ended_at": "now()",
        "created_at": "now()",
    }
    names = [row.name for row in rows]
    values = ", ".join(own.get(name, name) for name in names)
    await world.sql(
        f"INSERT INTO {table} ({', '.join(names)})"
        f" SELECT {values} FROM {table}, generate_series(1, 3000) WHERE run_id = :r",
        r=run,
    )
    await world.sql("ANALYZE")
    [plan] = await world.database(service).fetch(
        f"EXPLAIN (FORMAT JSON) {STATEMENTS[service][table]}", {"retention": KEPT, "limit": 500}
    )
    assert f'"Index Cond": "({age} <' in plan[0]


@contextlib.asynccontextmanager
async def running(world: World, service: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    for name, value in world.environment(service).items():
        monkeypatch.setenv(name, value)
    wiring, settings = WIRINGS[service]
    lifetime = Lifetime()
    async with wiring(settings(), lifetime):
        lifetime.started = True
        yield
        lifetime.stopping.set()
    await lifetime.cancel()
    lifetime.raise_failure()


@pytest.mark.parametrize("service", WIRINGS)
async def test_each_service_keeps_its_own_retention(
    world: World, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is wired: by the setting's default, from its start on."""
    job = await world.a_job(await world.a_context())
    for age in (80 * DAY, 400 * DAY):
        await a_run(world, job, age)
    async with running(world, service, monkeypatch):

        async def gone() -> bool:
            return await count(world, TABLES[service][0]) == 1

        await eventually(gone, what="the old row to go")
