"""Rows of run_attempts as the executor leaves them."""

from rota_contracts.codec import encode_payload
from rota_contracts.events import JobCompleted
from tests.support.world import World


async def an_ended_attempt(world: World, event: JobCompleted, *, transcript: str = "[]") -> None:
    """An attempt that ended a minute ago with that outcome."""
    await world.sql(
        "INSERT INTO run_attempts (run_id, attempt, context_id, job_id, executor, state, lease_until,"
        " session_id, ended_at, outcome, transcript) VALUES (:run, :attempt, :context, :job, 'e', 'ended',"
        " now(), :session, now() - interval '1 minute', CAST(:outcome AS jsonb), CAST(:transcript AS jsonb))",
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
