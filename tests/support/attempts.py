"""Rows of run_attempts as the executor leaves them."""

from rota_contracts.codec import encode_payload
from rota_contracts.events import JobCompleted
from tests.support.world import World


async def an_ended_attempt(world: World, event: JobCompleted, *, transcript: str = "[]") -> None:
    """An attempt that ended a minute ago with that outcome."""
    await world.sql(
        "INSERT INTO run_attempts (run_id, attempt, context_id, job_id, executor, state, session_id,"
        " ended_at, outcome, transcript) VALUES (:run, :attempt, :context, :job, 'e', 'ended', :session,"
        " now() - interval '1 minute', CAST(:outcome AS jsonb), CAST(:transcript AS jsonb))",
        run=event.run_id,
        attempt=event.attempt,
        context=event.context_id,
        job=event.job_id,
        session=event.session_id,
        outcome=encode_payload(event).decode(),
        transcript=transcript,
    )


async def an_unreadable_outcome(world: World, event: JobCompleted) -> None:
    """The same, as a version writes it that knows more kinds of errors than this one."""
    await an_ended_attempt(world, event)
    await world.sql(
        'UPDATE run_attempts SET outcome = outcome || \'{"error_kind": "of later"}\' WHERE run_id = :run',
        run=event.run_id,
    )


async def an_open_attempt(
    world: World, executor: str, *, state: str = "running", lease: str = "20 s", notice: str = "2.5 s"
) -> None:
    """The first attempt of every occurrence, and an executor that holds them for that long from now."""
    await world.sql(
        "INSERT INTO executors (id, lease_until, notice)"
        " VALUES (:e, clock_timestamp() + CAST(CAST(:l AS text) AS interval),"
        " CAST(CAST(:n AS text) AS interval))",
        e=executor,
        l=lease,
        n=notice,
    )
    await world.sql(
        "INSERT INTO run_attempts (run_id, attempt, context_id, job_id, executor, state, session_id)"
        " SELECT run_id, 1, context_id, job_id, :e, :s, gen_random_uuid() FROM occurrences",
        e=executor,
        s=state,
    )
