"""Two tenants never see one another, in the API and below it."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from tests.integration.gateway.conftest import JOB, Person
from tests.support.world import World

BACKFILL = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z"}


async def a_run(world: World, context: str, job: str) -> tuple[str, str, str]:
    """A result with its conversation and notification: (run, session, notification)."""
    run, session, notification = uuid4(), uuid4(), uuid4()
    await world.sql(
        """
        INSERT INTO agent_execution_results (run_id, context_id, schedule_id, job_name, agent_name, prompt,
            result_content, status, execution_duration_ms, attempt, trigger, session_id, scheduled_for,
            started_at, completed_at, usage)
        VALUES (:run, :context, :job, 'A job', 'agent', 'prompt', 'The <b>answer</b>', 'success', 12, 1,
            'manual', :session, :now, :now, :now, '{"requests": 1}')
        """,
        run=run,
        context=UUID(context),
        job=UUID(job),
        session=session,
        now=datetime.now(UTC),
    )
    await world.sql(
        "INSERT INTO conversations (session_id, context_id, run_id, agent_name) VALUES (:s, :c, :r, 'agent')",
        s=session,
        c=UUID(context),
        r=run,
    )
    await world.sql(
        "INSERT INTO conversation_messages (session_id, position, role, content, duration_ms, output_tokens) "
        "VALUES (:s, 1, 'assistant', 'answer', 900, 4), (:s, 0, 'user', 'question', NULL, NULL)",
        s=session,
    )
    await world.sql(
        "INSERT INTO notifications (id, context_id, run_id, category, title) "
        "VALUES (:n, :c, :r, 'success', 'Done')",
        n=notification,
        c=UUID(context),
        r=run,
    )
    await world.sql(
        "INSERT INTO deliveries (notification_id, channel, context_id, state) "
        "VALUES (:n, 'email', :c, 'delivered')",
        n=notification,
        c=UUID(context),
    )
    await world.sql(
        "INSERT INTO run_attempts (run_id, attempt, context_id, job_id, executor, state, session_id, "
        "outcome, ended_at) "
        """VALUES (:r, 1, :c, :j, 'executor-1', 'ended', :s, '{"status": "success"}', now())""",
        r=run,
        c=UUID(context),
        j=UUID(job),
        s=session,
    )
    return str(run), str(session), str(notification)


async def test_a_member_reads_a_run_with_everything_about_it(person: Person, world: World) -> None:
    context = await person.context()
    job = await person.job(context)
    run_id, session_id, _ = await a_run(world, context, job["id"])
    run = await person.get(f"/runs/{run_id}")
    assert (run["status"], run["state"], run["job_id"]) == ("success", "closed", job["id"])
    assert run["usage"] == {"requests": 1}
    assert [(one["attempt"], one["status"]) for one in run["attempts"]] == [(1, "success")]
    assert run["attempts"][0]["started_at"].endswith("Z")
    assert [(one["channel"], one["state"]) for one in run["deliveries"]] == [
        ("email", "delivered"),
        ("in_app", "delivered"),
    ]
    talk = await person.get(f"/conversations/{session_id}")
    assert [(one["position"], one["content"]) for one in talk["messages"]] == [(0, "question"), (1, "answer")]
    assert [(one["duration_ms"], one["output_tokens"]) for one in talk["messages"]] == [
        (None, None),
        (900, 4),
    ]
    assert [one["run_id"] for one in (await person.get("/runs", job_id=job["id"]))["items"]] == [run_id]
    assert (await person.get("/runs", status="error"))["items"] == []


async def test_runs_are_found_by_what_they_came_to(person: Person, world: World) -> None:
    context = await person.context()
    job = await person.job(context)
    calm, _, _ = await a_run(world, context, job["id"])
    loud, _, _ = await a_run(world, context, job["id"])
    statement = (
        "UPDATE agent_execution_results SET outcome_status = :status, outcome_severity = 'critical',"
        " outcome_summary = 'Full.', outcome_fingerprint = 'disk' WHERE run_id = :id"
    )
    await world.sql(statement, status="nothing", id=UUID(calm))
    await world.sql(statement, status="needs_attention", id=UUID(loud))
    [run] = (await person.get("/runs", outcome_status="needs_attention"))["items"]
    names = ("run_id", "outcome_status", "outcome_severity", "outcome_summary", "outcome_fingerprint")
    assert [run[name] for name in names] == [loud, "needs_attention", "critical", "Full.", "disk"]
    assert (await person.get(f"/runs/{calm}"))["outcome_status"] == "nothing"


async def test_what_belongs_to_another_tenant_is_not_found_anywhere(
    person: Person, other: Person, world: World
) -> None:
    context = await person.context()
    job = await person.job(context)
    run_id, session_id, notification_id = await a_run(world, context, job["id"])
    job_path, context_path = f"/jobs/{job['id']}", f"/contexts/{context}"
    requests = [
        ("GET", context_path, None),
        ("PATCH", context_path, {"name": "Taken over"}),
        ("DELETE", context_path, None),
        ("GET", f"{context_path}/jobs", None),
        ("POST", f"{context_path}/jobs", JOB),
        ("GET", job_path, None),
        ("PATCH", job_path, {"name": "Taken over"}),
        ("DELETE", job_path, None),
        ("POST", f"{job_path}/toggle", None),
        ("POST", f"{job_path}/run", None),
        ("POST", f"{job_path}/skip-next", None),
        ("POST", f"{job_path}/backfill", BACKFILL),
        ("POST", f"{context_path}/jobs:batch", {"jobs": [JOB]}),
        ("GET", f"{job_path}/occurrences", None),
        ("POST", f"/runs/{run_id}/cancel", None),
        ("GET", f"/runs/{run_id}", None),
        ("GET", f"/conversations/{session_id}", None),
        ("POST", f"/notifications/{notification_id}/read", None),
    ]
    for method, path, body in requests:
        response = await other.http.request(method, f"/api/v1{path}", json=body)
        assert response.status_code == 404, (method, path, response.text)
    for path in ("/contexts", "/jobs", "/runs", "/notifications"):
        assert (await other.get(path))["items"] == []
    assert (await other.get("/notifications"))["unread_count"] == 0
    assert await person.get(job_path)


@pytest.mark.parametrize(
    ("table", "minimum"),
    [
        ("contexts", 1),
        ("scheduled_jobs", 1),
        ("agent_execution_results", 1),
        ("conversations", 1),
        ("conversation_messages", 2),
        ("notifications", 1),
        ("deliveries", 1),
        ("run_attempts", 1),
    ],
)
async def test_the_database_itself_shows_a_tenant_only_its_own(
    person: Person, other: Person, world: World, table: str, minimum: int
) -> None:
    context = await person.context()
    await a_run(world, context, (await person.job(context))["id"])
    database = world.database("gateway")
    for user, expected in ((person.id, minimum), (other.id, 0), (None, 0)):
        async with database.transaction(user) as connection:
            [row] = await connection.fetch(f"SELECT count(*) FROM {table}")
        assert row[0] == expected


async def test_a_viewer_reads_and_may_not_write(person: Person, other: Person, world: World) -> None:
    context = await person.context()
    job = await person.job(context)
    await other.joins(context, "viewer")
    assert (await other.get(f"/jobs/{job['id']}"))["id"] == job["id"]
    assert (await other.get(f"/contexts/{context}"))["role"] == "viewer"
    for method, path, body in (
        ("POST", f"/contexts/{context}/jobs", JOB),
        ("PATCH", f"/jobs/{job['id']}", {"max_retries": 1}),
        ("DELETE", f"/jobs/{job['id']}", None),
        ("POST", f"/jobs/{job['id']}/toggle", None),
        ("POST", f"/jobs/{job['id']}/run", None),
        ("POST", f"/jobs/{job['id']}/skip-next", None),
        ("POST", f"/jobs/{job['id']}/backfill", BACKFILL),
        ("POST", f"/contexts/{context}/jobs:batch", {"jobs": [JOB]}),
        ("POST", f"/runs/{await world.an_occurrence(UUID(job['id']))}/cancel", None),
        ("PATCH", f"/contexts/{context}", {"name": "Mine"}),
        ("DELETE", f"/contexts/{context}", None),
    ):
        response = await other.http.request(method, f"/api/v1{path}", json=body)
        assert response.status_code == 403, (method, path, response.text)
    assert await person.get(f"/jobs/{job['id']}") == job | {"status": "running"}


async def test_an_editor_writes_jobs_and_may_not_delete_the_context(person: Person, other: Person) -> None:
    context = await person.context()
    await other.joins(context, "editor")
    await other.job(context)
    assert (await other.http.delete(f"/api/v1/contexts/{context}")).status_code == 403


async def test_notifications_are_read_by_each_person_for_themselves(
    person: Person, other: Person, world: World
) -> None:
    context = await person.context()
    await other.joins(context, "viewer")
    job = await person.job(context)
    _, _, first = await a_run(world, context, job["id"])
    await a_run(world, context, job["id"])
    assert (await person.get("/notifications"))["unread_count"] == 2
    for _ in range(2):
        await person.post(f"/notifications/{first}/read", status=204)
    unread = await person.get("/notifications", unread="true")
    assert (unread["unread_count"], len(unread["items"])) == (1, 1)
    assert (await person.post("/notifications/read-all", status=200)) == {"read": 1}
    assert (await person.get("/notifications"))["unread_count"] == 0
    assert (await other.get("/notifications"))["unread_count"] == 2


async def test_a_context_is_changed_by_its_owner(person: Person) -> None:
    context = await person.context("Before")
    changed = await person.http.patch(
        f"/api/v1/contexts/{context}", json={"name": "After", "max_concurrent_runs": 9}
    )
    assert (changed.json()["name"], changed.json()["max_concurrent_runs"]) == ("After", 9)
    taken = await person.http.post("/api/v1/contexts", json={"name": "After"})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "name")
    wrong = await person.http.patch(f"/api/v1/contexts/{context}", json={"max_concurrent_runs": 0})
    assert wrong.status_code == 422
