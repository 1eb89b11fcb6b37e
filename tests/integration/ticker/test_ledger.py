"""The ledger's months, and that what the ticker asks of it is found without reading it all."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from rota_ticker.domain.accounting import PUNCTUAL
from rota_ticker.repository import admission, endings, timers
from rota_ticker.repository.ledger import EXPIRE, STANDINGS
from tests.support.completions import a_completion
from tests.support.ticking import a_request, a_ticker, ledger, make_due
from tests.support.world import World

THIS_MONTH = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


async def partitions(world: World) -> list[str]:
    rows = await world.sql(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'occurrences'::regclass ORDER BY 1"
    )
    return [row.relname for row in rows]


def named(month: datetime) -> str:
    return f"occurrences_{month:%Y_%m}"


async def test_coming_months_are_made_and_old_ones_go_unless_something_is_open_in_them(world: World) -> None:
    ticker = await a_ticker(world)
    coming = [THIS_MONTH, THIS_MONTH + timedelta(days=32), THIS_MONTH + timedelta(days=63)]
    assert {named(month) for month in coming} <= {*await partitions(world)}
    await world.sql(f"DROP TABLE {named(coming[2])}")
    for text in ("2020-01-01", "2020-02-01", "2020-03-01"):
        month = datetime.fromisoformat(text)
        end = (month + timedelta(days=32)).replace(day=1)
        await world.sql(
            f"CREATE TABLE {named(month)} PARTITION OF occurrences"
            f" FOR VALUES FROM ('{month:%F} 00:00+00') TO ('{end:%F} 00:00+00')"
        )
    job = await world.a_job(await world.a_context())
    still_open = await world.an_occurrence(job, scheduled_for=datetime(2020, 2, 5, tzinfo=UTC))
    assert await ticker.keep_months() == 2
    left = await partitions(world)
    assert named(coming[2]) in left
    assert [name for name in left if "_2020_" in name] == ["occurrences_2020_02"]
    [row] = await ledger(world, run_id=still_open)
    await ticker.on_completed(
        [a_completion(row.context_id, job, run_id=still_open, scheduled_for=row.scheduled_for)]
    )
    assert await ticker.keep_months() == 1


async def test_a_month_is_kept_while_a_range_in_it_reaches_into_the_retention(world: World) -> None:
    """A pause of a hundred days is one row, of the month in which it began."""
    ticker = await a_ticker(world)
    begin = datetime.now(UTC) - timedelta(days=150)
    month = begin.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (month + timedelta(days=32)).replace(day=1)
    await world.sql(
        f"CREATE TABLE {named(month)} PARTITION OF occurrences"
        f" FOR VALUES FROM ('{month:%F} 00:00+00') TO ('{end:%F} 00:00+00')"
    )
    await world.an_occurrence(
        await world.a_job(await world.a_context()),
        scheduled_for=begin,
        last_instant=begin + timedelta(days=100),
        instants=100,
        state="closed",
        disposition="suppressed",
        closed_at=datetime.now(UTC),
    )
    assert await ticker.keep_months() == 0
    assert named(month) in await partitions(world)
    await world.sql("UPDATE occurrences SET last_instant = scheduled_for + interval '5 days'")
    assert await ticker.keep_months() == 1
    assert named(month) not in await partitions(world)


async def test_a_backfill_of_long_ago_has_its_place_and_goes_when_it_is_as_old_as_the_others(
    world: World,
) -> None:
    ticker = await a_ticker(world)
    context = await world.a_context()
    job = await world.a_job(context)
    await ticker.plan()
    instant = datetime(2019, 5, 1, 9, tzinfo=UTC)
    run = await a_request(
        world, context, job, trigger="backfill", scheduled_for=instant, overlap_policy="queue"
    )
    await ticker.take_requests()
    [row] = await world.sql("SELECT * FROM occurrences_others")
    assert (row.run_id, row.state, row.trigger, row.effective_at) == (run, "dispatched", "backfill", instant)
    await ticker.keep_months()
    assert len(await ledger(world, run_id=run)) == 1
    await ticker.on_completed([a_completion(context, job, run_id=run, scheduled_for=instant)])
    await ticker.keep_months()
    assert len(await ledger(world, run_id=run)) == 1
    await world.sql("UPDATE occurrences SET closed_at = closed_at - interval '91 days'")
    await ticker.keep_months()
    assert await ledger(world, run_id=run) == []


async def test_a_request_that_is_older_than_the_ledger_is_not_run_again(world: World) -> None:
    """It was run; its row went with its month. A ticker that has just begun reads all requests there are."""
    ticker = await a_ticker(world)
    context = await world.a_context()
    job = await world.a_job(context)
    await ticker.plan()
    long_ago = datetime.now(UTC) - timedelta(days=100)
    await a_request(world, context, job, created_at=long_ago)
    await a_request(world, context, job, trigger="backfill", scheduled_for=long_ago, created_at=long_ago)
    assert await ticker.take_requests() == 0
    late = await a_request(world, context, job, created_at=datetime.now(UTC) - timedelta(days=80))
    assert await ticker.take_requests() == 1
    assert [row.run_id for row in await ledger(world)] == [late]


async def test_what_was_due_under_earlier_definitions_is_accounted_for_by_those(world: World) -> None:
    """The revisions that the trigger writes are read back as they were."""
    ticker = await a_ticker(world)
    await world.a_job(
        await world.a_context(),
        cron_expression="* * * * *",
        catch_up_policy="skip",
        timezone="Europe/Berlin",
        jitter_seconds=0,
    )
    await ticker.plan()
    await world.sql(
        "UPDATE job_timers SET accounted_until = date_trunc('minute', now()) - interval '2 hours 1 second'"
    )
    dates = [datetime.now(UTC).date() + timedelta(days=400)]
    await world.sql(
        "UPDATE scheduled_jobs SET cron_expression = '0 0 1 1 *', excluded_dates = :d,"
        " excluded_instants = ARRAY[now()], start_at = now() - interval '1 day', max_runs = 7",
        d=dates,
    )
    await world.sql("UPDATE scheduled_jobs SET cron_expression = '@at 2099-01-01T09:00'")
    assert await ticker.plan() == 1
    rows = [row for row in await ledger(world) if row.disposition]
    assert {row.reason_code for row in rows} <= {"catch_up_window", "catch_up_off"}
    assert sum(row.instants for row in rows) >= 119 - PUNCTUAL.total_seconds() / 60
    assert await world.value("SELECT error FROM job_timers") is None
    assert await world.value("SELECT next_run_at FROM job_timers") == datetime(2099, 1, 1, 8, tzinfo=UTC)


async def test_a_job_that_was_impossible_and_is_mended_is_due_again(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), cron_expression="0 0 31 2 *")
    await ticker.plan()
    assert await world.value("SELECT error FROM job_timers") is not None
    await world.sql("UPDATE scheduled_jobs SET cron_expression = '* * * * *' WHERE id = :id", id=job)
    await ticker.plan()
    [timer] = await world.sql("SELECT * FROM job_timers")
    assert timer.error is None
    assert timer.next_run_at is not None


async def test_a_job_with_as_many_runs_as_it_may_is_due_no_more_and_may_be_changed(world: World) -> None:
    ticker = await a_ticker(world)
    job = await world.a_job(await world.a_context(), max_runs=1)
    other = await world.a_job(await world.a_context())
    await ticker.plan()
    await make_due(world, job)
    await ticker.fire()
    assert await world.value("SELECT next_run_at FROM job_timers WHERE job_id = :j", j=job) is None
    await world.sql("UPDATE job_timers SET accounted_until = accounted_until - interval '1 hour'")
    await world.sql("UPDATE scheduled_jobs SET max_runs = 2")
    assert await ticker.plan() == 2
    rows = await world.sql("SELECT job_id FROM job_timers WHERE next_run_at IS NOT NULL")
    assert {row.job_id for row in rows} == {job, other}
    assert len(await ledger(world, job_id=job)) == 1


async def plan_of(world: World, statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of the plan as it was carried out."""
    [row] = await world.database("ticker").fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
    nodes: list[dict[str, Any]] = []

    def walk(node: dict[str, Any]) -> None:
        nodes.append(node)
        for child in node.get("Plans", []):
            walk(child)

    walk(json.loads(row[0])[0]["Plan"])
    return nodes


def rows_read(nodes: list[dict[str, Any]], table: str) -> float:
    """How many rows were taken from the table and its partitions, those thrown away among them."""
    return sum(
        (float(node["Actual Rows"]) + float(node.get("Rows Removed by Filter", 0)))
        * int(node["Actual Loops"])
        for node in nodes
        if str(node.get("Relation Name", "")).startswith(table) and node["Node Type"] != "ModifyTable"
    )


async def test_questions_to_a_large_ledger_are_answered_from_few_rows(world: World) -> None:
    context = await world.a_context(max_concurrent_runs=3)
    job = await world.a_job(context, overlap_policy="allow")
    await world.sql(
        "INSERT INTO occurrences (run_id, job_id, context_id, scheduled_for, effective_at, trigger, state,"
        " disposition, closed_at, is_exclusive, expires_at)"
        " SELECT gen_random_uuid(), :j, :c, at, at, 'manual',"
        " CASE WHEN n <= 10000 THEN 'queued' ELSE 'closed' END, CASE WHEN n > 10000 THEN 'ran' END,"
        " CASE WHEN n > 10000 THEN now() END, false, now() + interval '1 h'"
        " FROM generate_series(1, 20000) n, LATERAL (SELECT now() - n * interval '1 s' AS at) a",
        j=job,
        c=context,
    )
    await world.sql(
        "INSERT INTO scheduled_jobs (context_id, name, cron_expression, skill_prompt)"
        " SELECT :c, 'other ' || n, '0 0 1 1 *', '' FROM generate_series(1, 5000) n",
        c=context,
    )
    await world.sql(
        "INSERT INTO job_timers (job_id, context_id, planned_generation, accounted_until, wake_at)"
        " SELECT id, context_id, 1, now(), now() + interval '1 d' FROM scheduled_jobs"
    )
    due = [row.job_id for row in await world.sql("SELECT job_id FROM job_timers LIMIT 5")]
    await world.sql("UPDATE job_timers SET wake_at = now() WHERE job_id = ANY (:ids)", ids=due)
    await world.sql("VACUUM ANALYZE")
    nodes = await plan_of(world, timers.DUE, {"limit": 500, "late": timers.LATE_AFTER})
    assert rows_read(nodes, "job_timers") <= 10
    nodes = await plan_of(world, admission.CANDIDATES, {"contexts": [context], "limit": 500})
    assert rows_read(nodes, "occurrences") <= 50
    nodes = await plan_of(world, EXPIRE, {})
    assert rows_read(nodes, "occurrences") == 0
    nodes = await plan_of(world, STANDINGS, {"job_ids": [uuid4() for _ in range(100)]})
    assert rows_read(nodes, "occurrences") == 0
    some = await world.sql("SELECT * FROM occurrences WHERE state = 'queued' LIMIT 100")
    values = {
        "run_ids": [row.run_id for row in some],
        "instants": [row.scheduled_for for row in some],
        "attempts": [1] * 100,
        "codes": ["success"] * 100,
        "reasons": ["success"] * 100,
        "started": [datetime.now(UTC)] * 100,
    }
    nodes = await plan_of(world, endings.CLOSE_RAN, values)
    assert rows_read(nodes, "occurrences") <= 200
