"""The notifier against real NATS, PostgreSQL and SMTP, as its own role and NATS user."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_contracts.codec import decode
from rota_contracts.events import ApprovalRequested, JobCompleted, JobPaused
from rota_contracts.streams import DEAD_LETTERS, JOBS, NOTIFIER, RUNS
from rota_contracts.values import PendingAction
from rota_notifier.channels import Sender
from rota_notifier.channels.email import EmailSender
from rota_notifier.domain import Channel, Outcome
from rota_notifier.handlers import Teller
from rota_notifier.repository import Repository
from tests.support.attempts import an_ended_attempt, an_unreadable_outcome
from tests.support.completions import a_completion
from tests.support.eventually import eventually
from tests.support.mailbox import Mailbox
from tests.support.world import World


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    running = Mailbox()
    await running.open()
    yield running
    await running.close()


async def a_teller(world: World, mailbox: Mailbox | None = None) -> Teller:
    bus = await world.bus("notifier")
    await bus.ensure([JOBS, RUNS, DEAD_LETTERS], [NOTIFIER])
    senders: dict[Channel, Sender] = (
        {"email": EmailSender(mailbox.url, "rota@example.org")} if mailbox else {}
    )
    return Teller(Repository(world.database("notifier")), bus, senders, max_attempts=3)


async def a_mailed_job(world: World) -> tuple[UUID, UUID]:
    context = await world.a_context()
    job = await world.a_job(
        context, notification_channel="email", notification_target="ada@example.org", name="Morning"
    )
    return context, job


async def said(world: World) -> list[Any]:
    jetstream = world.nats_admin.jetstream()
    last = (await jetstream.stream_info("RUNS")).state.messages
    messages = [await jetstream.get_msg("RUNS", number + 1) for number in range(last)]
    return [decode(m.subject or "", m.data or b"", m.headers) for m in messages]


async def tell(world: World, teller: Teller, event: JobCompleted) -> None:
    await an_ended_attempt(world, event)
    await teller.on_job_completed([event])
    await teller.work()


async def test_of_a_dry_run_nobody_is_told(world: World) -> None:
    """Nor by the sweep, which looks for outcomes that nobody was told of."""
    teller = await a_teller(world)
    context = await world.a_context()
    event = a_completion(context, await world.a_job(context), trigger="dry_run")
    await an_ended_attempt(world, event)
    assert await teller.on_job_completed([event]) == 0
    assert await teller.sweep() == 0
    assert await world.sql("SELECT * FROM notifications") == []


async def test_the_bell_rings_once_however_often_the_news_comes(world: World) -> None:
    teller = await a_teller(world)
    context = await world.a_context()
    event = a_completion(context, await world.a_job(context))
    assert await teller.on_job_completed([event, event]) == 1
    assert await teller.on_job_completed([event]) == 0
    await teller.work()
    [row] = await world.sql("SELECT * FROM notifications")
    assert (row.category, row.title, row.body) == (
        "success",
        "Morning check completed successfully",
        "All is well.",
    )
    # To be in the bell is to be there: nothing is sent.
    assert await world.sql("SELECT * FROM deliveries") == []
    assert await said(world) == []


async def test_whoever_listens_hears_the_bell_once_per_context_and_batch(world: World) -> None:
    heard: list[str] = []

    async def hear(subject: str, _payload: bytes) -> None:
        heard.append(subject)

    await (await world.bus("gateway")).listen("bell.rung.*", hear)
    teller = await a_teller(world)
    contexts = [await world.a_context(), await world.a_context()]
    events = [a_completion(context, await world.a_job(context)) for context in contexts * 2]
    await teller.on_job_completed(events)

    async def both() -> bool:
        return len(heard) >= 2

    await eventually(both, what="the bells")
    assert sorted(heard) == sorted(f"bell.rung.{context}" for context in contexts)


async def test_a_job_that_the_ticker_paused_is_told_once(world: World) -> None:
    teller = await a_teller(world)
    context = await world.a_context()
    job = await world.a_job(context)
    event = JobPaused(
        context_id=context, job_id=job, run_id=uuid4(), job_name="Check", reason="3 failures", failures=3
    )
    assert await teller.on_job_paused([event, event]) == 1
    [row] = await world.sql("SELECT * FROM notifications")
    assert (row.category, row.title, row.body) == ("paused", "Check is paused", "3 failures")


async def test_of_several_jobs_that_are_paused_for_one_run_each_is_told(world: World) -> None:
    teller = await a_teller(world)
    context, run = await world.a_context(), uuid4()
    events = [
        JobPaused(
            context_id=context,
            job_id=await world.a_job(context),
            run_id=run,
            job_name=name,
            reason="a budget is used up",
        )
        for name in ("Check", "Brief")
    ]
    assert await teller.on_job_paused(events) == 2
    assert await teller.on_job_paused(events) == 0
    rows = await world.sql("SELECT title FROM notifications ORDER BY title")
    assert [row.title for row in rows] == ["Brief is paused", "Check is paused"]


async def test_a_failed_run_is_told_in_the_error_category(world: World) -> None:
    teller = await a_teller(world)
    context = await world.a_context()
    event = a_completion(
        context,
        await world.a_job(context),
        status="error",
        content="",
        error_kind="agent_not_found",
        error_message="The agent 'x' does not exist.",
    )
    await teller.on_job_completed([event])
    [row] = await world.sql("SELECT * FROM notifications")
    assert (row.category, row.title) == ("error", "Morning check failed")
    assert row.body == "The agent 'x' does not exist."


async def test_an_attempt_that_will_be_retried_is_not_told(world: World) -> None:
    teller = await a_teller(world)
    context = await world.a_context()
    event = a_completion(context, await world.a_job(context), status="error", final=False)
    assert await teller.on_job_completed([event]) == 0


async def test_pending_action_notification_when_the_count_is_above_zero(world: World) -> None:
    teller = await a_teller(world)
    context = await world.a_context()
    job = await world.a_job(context)
    event = a_completion(context, job, status="partial")
    requested = ApprovalRequested(
        context_id=context,
        run_id=event.run_id,
        job_id=job,
        attempt=1,
        job_name="Morning check",
        actions=[PendingAction(tool_call_id="1", tool_name="send_mail", arguments={})],
    )
    await teller.on_job_completed([event])
    assert await teller.on_approval_requested([requested, requested]) == 1
    rows = await world.sql("SELECT category, title FROM notifications ORDER BY category")
    assert [tuple(row) for row in rows] == [
        ("approval_needed", "Morning check waits for 1 approval"),
        ("success", "Morning check waits for approval"),
    ]


async def test_no_pending_action_notification_when_the_count_is_zero(world: World) -> None:
    teller = await a_teller(world)
    context = await world.a_context()
    job = await world.a_job(context)
    event = a_completion(context, job)
    nothing = ApprovalRequested(
        context_id=context, run_id=event.run_id, job_id=job, attempt=1, job_name="Morning", actions=[]
    )
    await teller.on_job_completed([event])
    assert await teller.on_approval_requested([nothing]) == 0
    assert await world.value("SELECT count(*) FROM notifications WHERE category = 'approval_needed'") == 0


async def test_an_email_says_what_happened_and_escapes_it(world: World, mailbox: Mailbox) -> None:
    teller = await a_teller(world, mailbox)
    context, job = await a_mailed_job(world)
    event = a_completion(
        context, job, content="<b>5 & 6</b> " + "x" * 2000, job_name="Morning <check>", trigger="manual"
    )
    await tell(world, teller, event)
    [message] = mailbox.messages
    assert message["Subject"] == "[Scheduler] Morning <check> completed successfully"
    assert (message["From"], message["To"]) == ("rota@example.org", "ada@example.org")
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    plain = text.get_content().replace("\r\n", "\n")
    assert "Job: Morning <check>\nStatus: success\nCron: * * * * *\nDuration: 1.2 s" in plain
    assert len(plain.split("\n\n", 1)[1].strip()) == 1000
    assert "&lt;b&gt;5 &amp; 6&lt;/b&gt;" in html.get_content()
    [delivery] = await world.sql("SELECT * FROM deliveries WHERE channel = 'email'")
    assert (delivery.state, delivery.attempts) == ("delivered", 1)
    assert [(event.channel, event.outcome) for event in await said(world)] == [("email", "delivered")]


async def test_a_failed_run_is_mailed_as_failed(world: World, mailbox: Mailbox) -> None:
    teller = await a_teller(world, mailbox)
    context, job = await a_mailed_job(world)
    await tell(
        world, teller, a_completion(context, job, status="error", content="", error_message="No model.")
    )
    [message] = mailbox.messages
    assert message["Subject"] == "[Scheduler] Morning check failed"
    body = message.get_body(("plain",))
    assert body is not None
    assert "No model." in body.get_content()


async def test_a_server_that_is_busy_is_asked_again_and_then_takes_it(world: World, mailbox: Mailbox) -> None:
    teller = await a_teller(world, mailbox)
    context, job = await a_mailed_job(world)
    mailbox.answer = "451 come back later"
    await tell(world, teller, a_completion(context, job))
    [delivery] = await world.sql(
        "SELECT *, next_attempt_at > now() AS later FROM deliveries WHERE channel = 'email'"
    )
    assert (delivery.state, delivery.later) == ("pending", True)
    assert "come back later" in delivery.reason
    mailbox.answer = "250 OK"
    await world.sql("UPDATE deliveries SET next_attempt_at = now()")
    assert await teller.work() == 1
    assert await world.value("SELECT state FROM deliveries WHERE channel = 'email'") == "delivered"
    assert len(mailbox.messages) == 1


async def test_a_permanent_refusal_is_not_repeated(world: World, mailbox: Mailbox) -> None:
    teller = await a_teller(world, mailbox)
    context, job = await a_mailed_job(world)
    mailbox.answer = "550 no such user"
    await tell(world, teller, a_completion(context, job))
    [delivery] = await world.sql("SELECT * FROM deliveries WHERE channel = 'email'")
    assert (delivery.state, delivery.attempts) == ("failed", 1)
    assert "no such user" in delivery.reason
    assert [event.outcome for event in await said(world) if event.channel == "email"] == ["failed"]


async def test_a_server_that_is_away_is_given_up_after_the_last_attempt(
    world: World, mailbox: Mailbox
) -> None:
    teller = await a_teller(world, mailbox)
    await mailbox.close()
    context, job = await a_mailed_job(world)
    await tell(world, teller, a_completion(context, job))
    for _ in range(3):
        await world.sql("UPDATE deliveries SET next_attempt_at = now()")
        await teller.work()
    [delivery] = await world.sql("SELECT * FROM deliveries WHERE channel = 'email'")
    assert (delivery.state, delivery.attempts) == ("failed", 3)
    assert delivery.reason.startswith("given up after 3 attempts")


async def test_a_channel_without_configuration_is_skipped_with_the_reason(world: World) -> None:
    teller = await a_teller(world)
    context, job = await a_mailed_job(world)
    await tell(world, teller, a_completion(context, job))
    rows = await world.sql("SELECT channel, state, reason FROM deliveries ORDER BY channel")
    assert [tuple(row) for row in rows] == [
        ("email", "suppressed", "the channel email is not configured"),
    ]


async def test_an_address_that_cannot_be_written_fails_that_delivery_and_no_other(
    world: World, mailbox: Mailbox
) -> None:
    teller = await a_teller(world, mailbox)
    context, job = await a_mailed_job(world)
    wrong = await world.a_job(context, notification_channel="email", notification_target="a@[", name="Wrong")
    events = [a_completion(context, wrong), a_completion(context, job)]
    for event in events:
        await an_ended_attempt(world, event)
    await teller.on_job_completed(events)
    for _ in range(3):
        await teller.work()
        await world.sql("UPDATE deliveries SET next_attempt_at = now() WHERE state = 'pending'")
    rows = {row.target: row for row in await world.sql("SELECT * FROM deliveries WHERE channel = 'email'")}
    assert (rows["a@["].state, rows["a@["].attempts) == ("failed", 3)
    assert "could not be sent" in rows["a@["].reason
    assert (rows["ada@example.org"].state, len(mailbox.messages)) == ("delivered", 1)


async def test_an_attempt_that_ends_after_its_lease_changes_nothing(world: World, mailbox: Mailbox) -> None:
    teller = await a_teller(world, mailbox)
    context, job = await a_mailed_job(world)
    event = a_completion(context, job)
    await an_ended_attempt(world, event)
    await teller.on_job_completed([event])
    repository = Repository(world.database("notifier"))
    [late] = await repository.claim_due(1)
    await world.sql("UPDATE deliveries SET lease_until = now() - interval '1 s' WHERE channel = 'email'")
    await teller.work()
    assert not await repository.settle(late, Outcome("pending", "too slow"))
    assert await world.value("SELECT state FROM deliveries WHERE channel = 'email'") == "delivered"


async def test_news_that_was_lost_with_the_stream_is_told_from_the_outcome(world: World) -> None:
    teller = await a_teller(world)
    context = await world.a_context()
    await an_ended_attempt(world, a_completion(context, await world.a_job(context)))
    assert await teller.sweep() == 1
    assert await teller.sweep() == 0


async def test_an_outcome_that_cannot_be_read_does_not_hold_up_the_sweep(world: World) -> None:
    teller = await a_teller(world)
    context = await world.a_context()
    job = await world.a_job(context)
    good = a_completion(context, job)
    await an_unreadable_outcome(world, a_completion(context, job))
    await an_ended_attempt(world, good)
    assert await teller.sweep() == 1
    assert await world.value("SELECT run_id FROM notifications") == good.run_id


@pytest.mark.parametrize("url", ["http://example.org", "smtp://", "example.org:25"])
def test_a_wrong_smtp_url_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="NOTIFIER_SMTP_URL"):
        EmailSender(url, "rota@example.org")


async def a_request(world: World, context: UUID, job: UUID, **columns: Any) -> UUID:
    """What a run wants told, as the executor writes it."""
    request_id = uuid4()
    row = {"run_id": uuid4(), "title": "Frost!", "body": "Cover the tomatoes.", **columns}
    await world.sql(
        "INSERT INTO notification_requests (id, context_id, job_id, run_id, title, body)"
        " VALUES (:id, :context, :job, :run_id, :title, :body)",
        id=request_id,
        context=context,
        job=job,
        **row,
    )
    return request_id


async def test_what_a_run_wants_told_is_told_once_and_does_not_stand_for_its_end(
    world: World, mailbox: Mailbox
) -> None:
    context, job = await a_mailed_job(world)
    teller = await a_teller(world, mailbox)
    event = a_completion(context, job)
    ids = {await a_request(world, context, job, run_id=event.run_id) for _ in range(2)}
    assert await teller.tell_requested() == 2
    assert (await teller.tell_requested(), await teller.sweep()) == (0, 0)
    await teller.work()
    told = await world.sql("SELECT id FROM notifications WHERE category = 'message'")
    assert {row.id for row in told} == ids
    mail = mailbox.messages[0]
    assert mail["Subject"] == "[Scheduler] Frost!"
    text = mail.get_body(("plain",))
    assert text
    assert text.get_content().split() == ["Job:", "Morning", "Cover", "the", "tomatoes."]
    # The run then ends, and its event is lost: the sweep still tells of it.
    await an_ended_attempt(world, event)
    await world.sql("UPDATE run_attempts SET ended_at = ended_at - interval '1 minute'")
    assert await teller.sweep() == 1
    assert await world.value("SELECT count(*) FROM notifications WHERE category = 'success'") == 1


async def test_a_request_whose_hint_was_lost_is_found(world: World) -> None:
    context = await world.a_context()
    await a_request(world, context, await world.a_job(context))
    await world.sql("UPDATE notification_requests SET created_at = created_at - interval '1 hour'")
    teller = await a_teller(world)
    assert await teller.tell_requested() == 0
    assert await teller.sweep() == 1
