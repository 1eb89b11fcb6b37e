"""job.completed as an executor would say it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from rota_contracts.events import JobCompleted


def a_completion(context_id: UUID, job_id: UUID, **columns: Any) -> JobCompleted:
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "run_id": uuid4(),
        "job_id": job_id,
        "context_id": context_id,
        "attempt": 1,
        "status": "success",
        "final": True,
        "content": "All is well.",
        "execution_duration_ms": 1234,
        "session_id": uuid4(),
        "agent_name": "orchestrator",
        "prompt": "Look.",
        "trigger": "schedule",
        "scheduled_for": now,
        "started_at": now,
        "completed_at": now,
        "job_name": "Morning check",
        "cron_expression": "* * * * *",
    }
    return JobCompleted(**(values | columns))
