"""The leases of executors: notice to who is absent, and the end of those that are over."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from rota_contracts.presence import presence_subject
from rota_executor.deadline import Terms
from rota_executor.repository import AttemptKey, Ended, Repository
from rota_store import StatementError
from rota_ticker.domain.leaps import Leap
from rota_ticker.presence import Presence, watch
from rota_ticker.repository import executors
from tests.support.attempts import an_open_attempt
from tests.support.eventually import eventually
from tests.support.ticking import a_ticker
from tests.support.world import World

TERMS = Terms(lease=20, notice=2.5)
HERE, GONE = "host/1/here", "host/1/gone"


async def hear(_subject: str, _payload: bytes) -> None:
    """Answers nothing."""


async def left(world: World, executor: str) -> float:
    """How long the lease goes on, in seconds."""
    return float(
        await world.value(
            "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM executors WHERE id = :e",
            e=executor,
        )
    )


async def two_executors(world: World) -> Repository:
    """One that listens, and one that does not."""
    repository = Repository(world.database("executor"), TERMS)
    for executor in (HERE, GONE):
        await repository.enter(executor)
    bus = await world.bus("executor")
    await bus.listen(presence_subject(HERE), hear)
    await bus.ping(1)
    return repository


async def a_presence(world: World) -> Presence:
    return Presence(world.database("ticker"), await world.bus("ticker"))


async def test_who_is_absent_gets_notice_once_and_nobody_else(world: World) -> None:
    await two_executors(world)
    presence = await a_presence(world)
    patience = await presence.look()
    assert patience is not None
    assert 0 < patience.total_seconds() <= 2.5
    noticed = await world.value("SELECT lease_until FROM executors WHERE id = :e", e=GONE)
    assert 0 < await left(world, GONE) <= 2.5
    assert await left(world, HERE) > 10
    await presence.look()
    assert await world.value("SELECT lease_until FROM executors WHERE id = :e", e=GONE) == noticed


async def test_a_renewal_lifts_the_notice(world: World) -> None:
    repository = await two_executors(world)
    presence = await a_presence(world)
    await presence.look()
    assert await repository.renew([GONE]) == {GONE}
    assert await left(world, GONE) > 10
    await presence.look()
    assert await left(world, GONE) <= 2.5


async def test_who_renewed_since_it_was_looked_at_gets_no_notice(world: World) -> None:
    """NATS may have been asked before a connection came back, and the notice come after it."""
    repository = await two_executors(world)
    database = world.database("ticker")
    seen = await executors.leases(database)
    await repository.renew([GONE])
    assert await executors.give_notice(database, seen) == [HERE]
    assert await left(world, GONE) > 10


async def test_while_nats_is_away_nobody_gets_notice(world: World) -> None:
    await two_executors(world)
    bus = await world.bus("ticker")
    presence = Presence(world.database("ticker"), bus)
    await bus.close()
    await presence.look()
    assert await left(world, GONE) > 10


async def test_a_ticker_may_not_write_leases_but_by_giving_notice_and_ending_them(world: World) -> None:
    await two_executors(world)
    with pytest.raises(StatementError, match="permission denied"):
        await world.database("ticker").execute("UPDATE executors SET lease_until = now()")
    for service in ("executor", "gateway", "results", "notifier"):
        with pytest.raises(StatementError, match="permission denied"):
            await world.database(service).fetch("SELECT rota_end_leases(now(), '{}', '{}', '{}')")


async def ended(world: World, *leaps: Leap) -> set[str]:
    """Whose leases are ended when those that are over are."""
    async with world.database("ticker").transaction() as connection:
        await executors.end_leases(connection, datetime.now(UTC), leaps)
    return {row[0] for row in await world.sql("SELECT id FROM executors WHERE ended_at IS NOT NULL")}


async def test_a_lease_that_was_ended_is_never_held_again(world: World) -> None:
    """Also when the clock of PostgreSQL is set back, or somebody writes another end."""
    ticker = await a_ticker(world)
    run = await world.an_occurrence(await world.a_job(await world.a_context()))
    await an_open_attempt(world, GONE, lease="-1 ms")
    assert await ended(world) == {GONE}
    await world.sql("UPDATE executors SET lease_until = now() + interval '1 hour'")
    repository = Repository(world.database("executor"), TERMS)
    key = AttemptKey(run, 1)
    assert await repository.renew([GONE]) == set()
    assert await repository.claim(GONE, []) is None
    assert await repository.end(GONE, [Ended(key, "{}", None)], uuid4()) == set()
    assert await repository.begin_effect(GONE, key, "call", "tool", "{}") is None
    assert await repository.release(GONE, [key]) == 0
    assert await ticker.reconcile() == 1


async def test_who_has_nothing_open_any_more_is_forgotten(world: World) -> None:
    ticker = await a_ticker(world)
    await world.an_occurrence(await world.a_job(await world.a_context()))
    await an_open_attempt(world, GONE, lease="-1 ms")
    await Repository(world.database("executor"), TERMS).enter(HERE)
    assert await ticker.reconcile() == 1
    assert await ticker.reconcile() == 0
    assert await world.sql("SELECT id FROM executors") == [(HERE,)]


async def test_an_outcome_on_its_way_to_its_commit_is_waited_for(world: World) -> None:
    """Its lease was good when it was written: nobody takes the run over before it is there, or is not."""
    ticker = await a_ticker(world)
    run = await world.an_occurrence(await world.a_job(await world.a_context()))
    await an_open_attempt(world, GONE, lease="700 ms")

    database = world.database("executor")
    async with database.transaction() as connection:
        repository = Repository(connection, TERMS)  # type: ignore[arg-type]  # a statement, not a transaction
        assert await repository.end(GONE, [Ended(AttemptKey(run, 1), "{}", None)], uuid4()) == {
            AttemptKey(run, 1)
        }

        async def is_over() -> bool:
            return await left(world, GONE) < 0

        await eventually(is_over)
        assert await ticker.reconcile() == 0
        assert await world.value("SELECT ended_at FROM executors") is None
    assert await ticker.reconcile() == 0
    assert await world.value("SELECT ended_at IS NOT NULL FROM executors")
    assert await world.value("SELECT state FROM occurrences") == "dispatched"


async def test_a_lease_that_the_clock_leapt_over_is_not_over(world: World) -> None:
    async with world.database("executor").transaction() as connection:
        for name, ago in (("leapt", 10), ("of old", 4000)):
            await connection.execute(
                "INSERT INTO executors (id, lease_until, notice)"
                " VALUES (:e, clock_timestamp() - make_interval(secs => :ago), '2.5 s')",
                {"e": name, "ago": ago},
            )
    async with world.database("ticker").transaction() as connection:
        horizon = await executors.horizon(connection)
    leap = Leap(datetime.now(UTC), timedelta(hours=1), horizon)
    assert await ended(world, leap) == {"of old"}
    assert await ended(world) == {"leapt"}


async def test_what_was_written_after_a_leap_was_not_leapt_over_though_the_clock_was_set_back(
    world: World,
) -> None:
    async with world.database("ticker").transaction() as connection:
        horizon = await executors.horizon(connection)
    leap = Leap(datetime.now(UTC) + timedelta(hours=1), timedelta(hours=1), horizon)
    await world.an_occurrence(await world.a_job(await world.a_context()))
    await an_open_attempt(world, GONE, lease="-1 ms")
    assert await ended(world, leap) == {GONE}


async def test_it_looks_for_as_long_as_somebody_holds_a_lease_and_says_when_one_is_over(world: World) -> None:
    await two_executors(world)
    await world.sql("UPDATE executors SET notice = '0.3 s'")
    told: list[timedelta | None] = []

    class Telling(Presence):
        async def look(self) -> timedelta | None:
            told.append(await super().look())
            return told[-1]

    attempts_out, over = asyncio.Event(), asyncio.Event()
    presence = Telling(world.database("ticker"), await world.bus("ticker"))
    watching = asyncio.create_task(watch(presence, attempts_out=attempts_out, lease_over=over.set))
    assert told == []
    attempts_out.set()
    async with asyncio.timeout(10):
        await over.wait()
    assert await left(world, GONE) <= 0
    await world.sql("DELETE FROM executors")

    async def is_at_rest() -> bool:
        return told[-1] is None and not attempts_out.is_set()

    await eventually(is_at_rest)
    watching.cancel()
