"""What the tests of the bus say, and what they wait for."""

from datetime import UTC, datetime
from uuid import uuid4

from rota_bus import Bus
from rota_chassis.errors import RetryableError
from rota_contracts.events import JobDue, JobSnapshot
from tests.support.eventually import eventually
from tests.support.world import World

NOW = datetime.now(UTC)


def a_due(**columns: object) -> JobDue:
    job = JobSnapshot(
        name="a",
        agent_name="b",
        skill_prompt="c",
        cron_expression="* * * * *",
        timezone="UTC",
        timeout_seconds=30,
        max_retries=0,
        generation=1,
    )
    values = {
        "context_id": uuid4(),
        "job_id": uuid4(),
        "run_id": uuid4(),
        "attempt": 1,
        "scheduled_for": NOW,
        "effective_at": NOW,
        "trigger": "schedule",
        "job": job,
    }
    return JobDue(**(values | columns))  # type: ignore[arg-type]


async def stored(world: World, stream: str) -> int:
    info = await world.nats_admin.jetstream().stream_info(stream)
    return int(info.state.messages)


async def is_connected(bus: Bus) -> bool:
    return bus._client.is_connected


async def said_at_last(bus: Bus, event: JobDue) -> None:
    """Publishes as soon as the server takes it."""

    async def published() -> bool:
        try:
            await bus.publish([event])
        except RetryableError:
            return False
        return True

    await eventually(published)
