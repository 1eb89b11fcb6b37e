"""One event of each type, with every field set."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from rota_contracts.events import (
    ApprovalDecided,
    ApprovalRequested,
    BellRung,
    Event,
    JobChanged,
    JobClosed,
    JobCompleted,
    JobDue,
    JobPaused,
    JobSnapshot,
    JobStarted,
    MemberChanged,
    NotificationRequested,
    NotificationSent,
    ResultRecorded,
    RunCancel,
    RunFollowed,
    RunProgress,
    RunRequested,
    RunStopping,
)
from rota_contracts.transcript import Entry, ProgressStep
from rota_contracts.values import (
    ContentBlock,
    ModelUsage,
    PendingAction,
    RehearsedCall,
    ReportedOutcome,
    Usage,
)

CONTEXT = UUID("0b9f2c1e-6f0a-4a53-9c52-0d5a6a1f0001")
JOB = UUID("0b9f2c1e-6f0a-4a53-9c52-0d5a6a1f0002")
RUN = UUID("0b9f2c1e-6f0a-4a53-9c52-0d5a6a1f0003")
SESSION = UUID("0b9f2c1e-6f0a-4a53-9c52-0d5a6a1f0004")
OWNER = UUID("0b9f2c1e-6f0a-4a53-9c52-0d5a6a1f0005")
NOTIFICATION = UUID("0b9f2c1e-6f0a-4a53-9c52-0d5a6a1f0006")
SEVEN = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
ACTION = PendingAction(
    tool_call_id="call-1",
    tool_name="send_mail",
    arguments={"to": "ada@example.org"},
    reason="She asked for it.",
)
REHEARSED = RehearsedCall(
    tool_name="send_mail",
    arguments={"to": "ada@example.org"},
    effect="write",
    policy="ask",
    is_granted=True,
)
_OF_RUN: dict[str, Any] = {"context_id": CONTEXT, "job_id": JOB, "run_id": RUN}

EXAMPLES: dict[str, Event] = {
    event.TYPE: event
    for event in (
        JobChanged(context_id=CONTEXT, job_id=JOB, change="updated", generation=3),
        RunRequested(**_OF_RUN, requested_by=OWNER),
        JobDue(
            **_OF_RUN,
            attempt=2,
            scheduled_for=SEVEN,
            effective_at=SEVEN,
            trigger="schedule",
            job=JobSnapshot(
                name="Morning briefing",
                agent_name="orchestrator",
                skill_prompt="What is new?",
                cron_expression="0 7 * * *",
                timezone="Europe/Berlin",
                timeout_seconds=300,
                max_retries=1,
                generation=3,
                owner_id=OWNER,
                tool="clock",
                arguments={"timezone": "Europe/Berlin"},
            ),
            failures=1,
            losses=0,
            instants=2,
            first_instant=datetime(2026, 11, 20, 7, 0, tzinfo=UTC),
            prompt_context="Be brief.",
            resumes=1,
        ),
        ApprovalDecided(**_OF_RUN),
        JobStarted(**_OF_RUN, attempt=2, executor="executor-1", session_id=SESSION, started_at=SEVEN),
        JobCompleted(
            **_OF_RUN,
            attempt=2,
            status="partial",
            final=True,
            content=[ContentBlock(type="text", text="Two mails.")],
            execution_duration_ms=1500,
            session_id=SESSION,
            agent_name="orchestrator",
            prompt="What is new?",
            trigger="schedule",
            scheduled_for=SEVEN,
            started_at=SEVEN,
            completed_at=SEVEN,
            job_name="Morning briefing",
            cron_expression="0 7 * * *",
            error_kind="tool_error",
            error_message="The mailbox did not answer.",
            warnings=["A tool was left out."],
            pending_actions=[ACTION],
            rehearsed_calls=[REHEARSED],
            usage=Usage(
                requests=2,
                input_tokens=900,
                output_tokens=40,
                tool_calls=1,
                cost_usd=Decimal("0.0033"),
                unpriced_requests=1,
            ),
            model_usage=[
                ModelUsage(
                    model="anthropic:claude-sonnet-4-5",
                    requests=2,
                    input_tokens=900,
                    output_tokens=40,
                    cost_usd=Decimal("0.0033"),
                    unpriced_requests=1,
                )
            ],
            exhausted_budget=OWNER,
            tool="clock",
            agent_revision=4,
            model="local:smollm2",
            owner_id=OWNER,
            outcome=ReportedOutcome(
                status="needs_attention", summary="Two mails.", severity="warning", fingerprint="mails-2"
            ),
        ),
        JobClosed(
            **_OF_RUN,
            scheduled_for=SEVEN,
            disposition="missed",
            reason="older than the catch-up window",
            instants=3,
            last_instant=SEVEN,
            reason_code="catch_up_window",
            trigger="schedule",
        ),
        JobPaused(
            context_id=CONTEXT,
            job_id=JOB,
            run_id=RUN,
            job_name="Morning briefing",
            reason="paused after 3 failures in a row",
            failures=3,
        ),
        RunCancel(**_OF_RUN, requested_by=OWNER),
        RunStopping(**_OF_RUN, reason="cancelled by ada@example.org"),
        RunFollowed(**_OF_RUN),
        RunProgress(
            **_OF_RUN,
            attempt=2,
            number=7,
            steps=[
                ProgressStep(
                    position=4,
                    entry=Entry(
                        position=4,
                        role="tool",
                        content="clock: it is seven",
                        started_at=SEVEN,
                        duration_ms=12,
                        tool_name="clock",
                        tool_call_id="call-1",
                        status="success",
                    ),
                ),
                ProgressStep(position=5, offset=10, text="It is sev"),
            ],
        ),
        BellRung(context_id=CONTEXT, count=2),
        MemberChanged(context_id=CONTEXT, user_id=OWNER),
        ResultRecorded(**_OF_RUN, attempt=2, status="partial"),
        ApprovalRequested(
            **_OF_RUN, attempt=2, job_name="Morning briefing", actions=[ACTION], owner_id=OWNER
        ),
        NotificationRequested(**_OF_RUN, notification_id=NOTIFICATION),
        NotificationSent(
            context_id=CONTEXT,
            notification_id=NOTIFICATION,
            run_id=RUN,
            category="approval_needed",
            channel="email",
            outcome="delivered",
        ),
    )
}
