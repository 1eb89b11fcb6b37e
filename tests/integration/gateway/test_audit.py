"""The ledger is compared with the definitions all the time, and /metrics says what differs."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import structlog

from rota_gateway.auditing import Auditor
from rota_store import StatementError
from rota_ticker.handlers import Ticker
from tests.integration.gateway.conftest import Person, Served, a_timer
from tests.integration.gateway.test_ledger import DAY, EVERY_MINUTE, MINUTE, aged, fired, text, this_minute
from tests.support.ticking import a_ticker
from tests.support.world import World

HOUR = timedelta(hours=1)


@pytest.fixture
async def ticker(world: World) -> Ticker:
    return await a_ticker(world)


class Audits:
    """An auditor whose turns a test takes, and the page of metrics."""

    def __init__(self, served: Served) -> None:
        self.world = served.world
        self.served = served
        self.auditor = Auditor(served.gateway.database, interval_seconds=3600)
        self.said: list[dict[str, object]] = []

    async def through(self) -> dict[str, float]:
        """All jobs once, as if the last time through were long ago; the metrics after that."""
        await self.world.sql(
            "UPDATE ledger_audits SET started_at = started_at - interval '2 hours'"
            " WHERE completed_at IS NOT NULL"
        )
        before = await self.world.value("SELECT count(*) FROM ledger_audits WHERE completed_at IS NOT NULL")
        with structlog.testing.capture_logs() as said:
            while await self._completed() == before:
                await self.auditor.work()
                await self.world.sql("UPDATE ledger_audits SET next_batch_at = now()")
        self.said = [dict(line) for line in said if line["log_level"] == "error"]
        return await self.metrics()

    async def _completed(self) -> int:
        found: int = await self.world.value(
            "SELECT count(*) FROM ledger_audits WHERE completed_at IS NOT NULL"
        )
        return found

    async def metrics(self) -> dict[str, float]:
        page = (await (await self.served.client()).get("/metrics")).text
        found = re.findall(r"^rota_ledger_(\w+) (\S+)$", page, re.MULTILINE)
        return {name: float(value) for name, value in found}


@pytest.fixture
async def audits(served: Served) -> Audits:
    return Audits(served)


async def test_a_ledger_that_accounts_for_everything_is_told_as_zero(
    audits: Audits, person: Person, other: Person, ticker: Ticker
) -> None:
    """Downtime, pauses, an exclusion, a change, a last run, a job older than the window; of two tenants."""
    world = audits.world
    context = await person.context(min_period_seconds=1)
    old = await person.job(context, name="Old", **EVERY_MINUTE)
    paused = await person.job(context, name="Paused", **EVERY_MINUTE)
    left_out = [str(this_minute().date() - DAY)]
    excluded = await person.job(context, name="Excluded", **EVERY_MINUTE, excluded_dates=left_out)
    ended = await person.job(context, name="Ended", **EVERY_MINUTE, max_runs=1, catch_up_policy="all")
    jittery = await person.job(context, name="Jittery", **EVERY_MINUTE, jitter_seconds=50)
    foreign = await other.job(await other.context(), name="Foreign", **EVERY_MINUTE)
    for job, age in ((old, 70 * DAY), (excluded, 3 * DAY), (ended, HOUR), (jittery, HOUR), (foreign, DAY)):
        await aged(world, job, age)
    await person.post(f"/jobs/{paused['id']}/toggle", status=200)
    await aged(world, paused, 40 * DAY)
    await ticker.plan()
    await person.post(f"/jobs/{paused['id']}/toggle", status=200)
    await fired(ticker)
    await person.http.patch(f"/api/v1/jobs/{old['id']}", json={"cron_expression": "*/7 * * * *"})
    await fired(ticker)
    metrics = await audits.through()
    assert audits.said == []
    assert (metrics["unaccounted_instants"], metrics["unaccounted_jobs"]) == (0, 0)
    assert (metrics["behind_jobs"], metrics["audited_jobs"]) == (0, 6)
    assert abs(metrics["audit_completed_timestamp_seconds"] - datetime.now(UTC).timestamp()) < 60


async def test_a_row_that_is_gone_is_counted_and_named_until_it_is_back(
    audits: Audits, person: Person, ticker: Ticker
) -> None:
    context = await person.context()
    job = await person.job(
        context,
        name="Often",
        cron_expression="*/5 * * * *",
        catch_up_policy="all",
        catch_up_window_seconds=7200,
    )
    await aged(audits.world, job, HOUR)
    await fired(ticker)
    assert (await audits.through())["unaccounted_instants"] == 0
    gone = this_minute() - 20 * MINUTE
    gone -= timedelta(minutes=gone.minute % 5)
    [row] = await audits.world.sql("DELETE FROM occurrences WHERE scheduled_for = :at RETURNING *", at=gone)
    metrics = await audits.through()
    assert (metrics["unaccounted_instants"], metrics["unaccounted_jobs"]) == (1, 1)
    [line] = audits.said
    assert (line["action"], line["job_id"], line["name"]) == ("ledger_differs", job["id"], "Often")
    assert line["instants"] == [f"{gone.isoformat()} is in no row"]
    names = ", ".join(dict(row))
    places = ", ".join(f":{name}" for name in dict(row))
    await audits.world.sql(f"INSERT INTO occurrences ({names}) VALUES ({places})", **dict(row))
    assert (await audits.through())["unaccounted_instants"] == 0


async def test_a_row_that_is_gone_is_found_though_a_change_could_explain_the_sum(
    audits: Audits, person: Person, ticker: Ticker
) -> None:
    """Of a job that runs each second, ten instants may be counted under either of two definitions."""
    context = await person.context(min_period_seconds=1)
    job = await person.job(context, cron_expression="* * * * * *", seconds_field=True, catch_up_policy="all")
    await aged(audits.world, job, timedelta(minutes=5))
    await ticker.plan()
    await fired(ticker)
    await person.http.patch(f"/api/v1/jobs/{job['id']}", json={"catch_up_policy": "latest"})
    await fired(ticker)
    assert (await audits.through())["unaccounted_instants"] == 0
    assert (await person.get("/doctor"))["differences"] == []
    gone = [
        row.scheduled_for
        for row in await audits.world.sql(
            "DELETE FROM occurrences WHERE run_id IN (SELECT run_id FROM occurrences WHERE instants = 1 "
            "ORDER BY scheduled_for OFFSET 5 LIMIT 2) RETURNING scheduled_for"
        )
    ]
    metrics = await audits.through()
    assert (metrics["unaccounted_instants"], metrics["unaccounted_jobs"]) == (2, 1)
    [found] = (await person.get("/doctor"))["differences"]
    assert (found["from"], found["until"]) == (text(min(gone)), text(max(gone)))
    assert found["note"] == "2 due instants are in no row of the ledger"


async def test_a_row_of_an_instant_that_was_not_due_is_counted_too(
    audits: Audits, person: Person, ticker: Ticker
) -> None:
    job = await person.job(await person.context(), **EVERY_MINUTE)
    await aged(audits.world, job, HOUR)
    await fired(ticker)
    odd = this_minute() - 10 * MINUTE - MINUTE / 2
    await audits.world.an_occurrence(UUID(job["id"]), trigger="schedule", scheduled_for=odd, run_id=uuid4())
    assert (await audits.through())["unaccounted_instants"] == 1
    assert audits.said[0]["instants"] == [f"{odd.isoformat()} was not due"]


async def test_what_has_become_due_since_the_last_time_through_is_looked_at_however_long_ago_that_was(
    audits: Audits, person: Person, ticker: Ticker
) -> None:
    """The window is a day; a gateway that was away for three looks at three."""
    job = await person.job(
        await person.context(),
        cron_expression="0 * * * *",
        catch_up_policy="all",
        catch_up_window_seconds=864_000,
    )
    await aged(audits.world, job, 5 * DAY)
    await fired(ticker)
    gone = this_minute().replace(minute=0) - 2 * DAY
    await audits.world.sql("DELETE FROM occurrences WHERE scheduled_for = :at", at=gone)
    assert (await audits.through())["unaccounted_instants"] == 0
    await audits.world.sql("UPDATE ledger_audits SET started_at = started_at - interval '3 days'")
    assert (await audits.through())["unaccounted_instants"] == 1


async def test_a_job_that_no_ticker_looks_at_is_behind(audits: Audits, person: Person) -> None:
    """By its timer, or, where that says nothing, by its definition; or it was never looked at."""
    context = await person.context()
    names = ("Late", "Silent", "Asleep", "Done", "Impossible", "Unseen")
    jobs = [
        await person.job(context, **EVERY_MINUTE, name=name, max_runs=1 if name == "Done" else None)
        for name in names
    ]
    late, silent, asleep, done, impossible, unseen = jobs
    await aged(audits.world, unseen, HOUR)
    now = this_minute()
    await a_timer(audits.world, UUID(late["id"]), wake_at=now - 5 * MINUTE)
    await a_timer(audits.world, UUID(silent["id"]), accounted_until=now - 5 * MINUTE)
    await a_timer(audits.world, UUID(asleep["id"]), accounted_until=now - 5 * MINUTE, paused_at=now)
    await a_timer(audits.world, UUID(done["id"]), accounted_until=now - 5 * MINUTE, runs=1)
    await a_timer(audits.world, UUID(impossible["id"]), error="cron_expression: never comes")
    assert (await audits.through())["behind_jobs"] == 3
    assert sorted(str(line["name"]) for line in audits.said) == ["Late", "Silent", "Unseen"]


async def test_of_many_jobs_that_differ_twenty_are_named_and_all_are_counted(
    audits: Audits, person: Person, ticker: Ticker
) -> None:
    context = await audits.world.a_context()
    await audits.world.sql(
        "INSERT INTO scheduled_jobs (context_id, name, cron_expression, created_at, schedule_since)"
        " SELECT :c, 'job ' || n, '* * * * *', now() - interval '1 hour', now() - interval '1 hour'"
        " FROM generate_series(1, 30) n",
        c=context,
    )
    await fired(ticker)
    audits.auditor.limit = 100
    await audits.world.sql("DELETE FROM occurrences WHERE disposition = 'coalesced'")
    metrics = await audits.through()
    assert metrics["unaccounted_jobs"] == 30
    assert 30 * 58 <= metrics["unaccounted_instants"] <= 30 * 60
    assert sum("instants" in line for line in audits.said) == 20
    assert [line["jobs"] for line in audits.said if "jobs" in line] == [10]


async def test_replicas_take_turns(audits: Audits, person: Person) -> None:
    """Four at once look at every job once, batch by batch."""
    world = audits.world
    context = await world.a_context()
    await world.sql(
        "INSERT INTO scheduled_jobs (context_id, name, cron_expression)"
        " SELECT :c, 'job ' || n, '0 0 1 1 *' FROM generate_series(1, 90) n",
        c=context,
    )
    replicas = [Auditor(world.database("gateway"), interval_seconds=3600) for _ in range(4)]

    async def work() -> int:
        await asyncio.gather(*(one.work() for one in replicas))
        await world.sql("UPDATE ledger_audits SET next_batch_at = now()")
        count: int = await world.value("SELECT count(*) FROM ledger_audits WHERE completed_at IS NULL")
        return count

    turns = 1
    while await work():
        turns += 1
    assert turns > 1
    assert [
        tuple(row) for row in await world.sql("SELECT jobs, completed_at IS NOT NULL FROM ledger_audits")
    ] == [(90, True)]


async def test_a_batch_whose_gateway_died_is_taken_by_the_next(audits: Audits, person: Person) -> None:
    world = audits.world
    await person.job(await person.context())
    dying, other = (Auditor(world.database("gateway"), interval_seconds=3600) for _ in range(2))
    await world.sql("ALTER TABLE job_revisions RENAME TO elsewhere")
    with pytest.raises(StatementError, match="job_revisions"):
        await dying.work()
    await world.sql("ALTER TABLE elsewhere RENAME TO job_revisions")
    await other.work()
    assert await world.value("SELECT completed_at IS NULL FROM ledger_audits")
    await world.sql("UPDATE ledger_audits SET next_batch_at = now()")
    await other.work()
    assert await world.value("SELECT jobs FROM ledger_audits WHERE completed_at IS NOT NULL") == 1


async def test_the_auditor_reads_the_ledger_of_all_and_nothing_else(world: World) -> None:
    await world.an_occurrence(await world.a_job(await world.a_context()))
    gateway = world.database("gateway")

    async def as_auditor(statement: str) -> int:
        async with gateway.transaction() as connection:
            await connection.execute("SET LOCAL ROLE rota_auditor")
            return len(await connection.fetch(statement))

    assert await as_auditor("SELECT 1 FROM occurrences") == 1
    for statement in (
        "DELETE FROM occurrences",
        "UPDATE scheduled_jobs SET name = 'x'",
        "SELECT 1 FROM agent_execution_results",
        "SELECT 1 FROM api_keys",
    ):
        with pytest.raises(StatementError, match="permission denied"):
            await as_auditor(statement)
    assert await gateway.fetch("SELECT 1 FROM occurrences") == []
