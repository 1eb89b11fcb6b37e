"""A ticker whose handlers a test calls, and what it did."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from rota_contracts.codec import decode
from rota_contracts.events import JobCompleted, JobDue
from rota_contracts.streams import DEAD_LETTERS, JOBS, RUNS, TICKER_COMPLETIONS
from rota_ticker.handlers import Ticker
from tests.support.world import World


async def a_ticker(world: World, **options: Any) -> Ticker:
    bus = await world.bus("ticker")
    await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [TICKER_COMPLETIONS])
    return Ticker(world.database("ticker"), bus, **options)


async def said(world: World) -> list[Any]:
    """Every event of the stream JOBS, in order."""
    jetstream = world.nats_admin.jetstream()
    last = (await jetstream.stream_info("JOBS")).state.messages
    messages = [await jetstream.get_msg("JOBS", number + 1) for number in range(last)]
    return [decode(m.subject or "", m.data or b"", m.headers) for m in messages]


async def dues(world: World) -> list[JobDue]:
    return [event for event in await said(world) if isinstance(event, JobDue)]


async def timer(world: World, job_id: UUID) -> datetime | None:
    found: datetime | None = await world.value(
        "SELECT next_run_at FROM job_timers WHERE job_id = :id", id=job_id
    )
    return found


async def make_due(world: World, job_id: UUID, *, ago: timedelta = timedelta(0)) -> datetime:
    """Sets the timer of a job to a full minute in the past, everything before it accounted for."""
    instant = (datetime.now(UTC) - ago).replace(second=0, microsecond=0)
    await world.sql(
        "UPDATE job_timers SET accounted_until = :before, next_run_at = :at, wake_at = :at"
        " WHERE job_id = :id",
        before=instant - timedelta(seconds=1),
        at=instant,
        id=job_id,
    )
    return instant


def completed(due: JobDue, **columns: Any) -> JobCompleted:
    """How the run of that event ended."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "run_id": due.run_id,
        "job_id": due.job_id,
        "context_id": due.context_id,
        "attempt": due.attempt,
        "status": "success",
        "final": True,
        "content": "done",
        "execution_duration_ms": 5,
        "session_id": uuid4(),
        "agent_name": due.job.agent_name,
        "prompt": due.job.skill_prompt,
        "trigger": due.trigger,
        "scheduled_for": due.scheduled_for,
        "started_at": now,
        "completed_at": now,
        "job_name": due.job.name,
        "cron_expression": due.job.cron_expression,
    }
    return JobCompleted(**(values | columns))


async def ledger(world: World, **columns: Any) -> list[Any]:
    """The rows of the ledger, oldest first."""
    conditions = " AND ".join(["true", *(f"{name} = :{name}" for name in columns)])
    return await world.sql(f"SELECT * FROM occurrences WHERE {conditions} ORDER BY scheduled_for", **columns)


async def a_request(world: World, context_id: UUID, job_id: UUID, **columns: Any) -> UUID:
    """Somebody asks for a run: manual, unless `columns` say otherwise."""
    run_id = uuid4()
    values = {"run_id": run_id, "job_id": job_id, "context_id": context_id} | columns
    await world.sql(
        f"INSERT INTO run_requests ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})",
        **values,
    )
    return run_id
