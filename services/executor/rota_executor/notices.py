"""What a run wants people told, while it goes on: a row first, then a hint to the notifier."""

from collections.abc import Awaitable, Callable
from uuid import uuid5

from rota_contracts.events import Event, NotificationRequested
from rota_executor.calls import ToolCall
from rota_executor.domain import clean
from rota_executor.repository.notices import NoticesRepository

# Of one run: a model that goes round in circles must not fill anybody's inbox.
MOST_OF_A_RUN = 10


class Notices:
    def __init__(self, repository: NoticesRepository, hint: Callable[[Event], Awaitable[None]]) -> None:
        self._repository = repository
        self._hint = hint

    async def tell(self, call: ToolCall, title: str, body: str) -> bool:
        """Whether it will be told: not when the run has had MOST_OF_A_RUN told already."""
        notification_id = uuid5(call.run_id, f"notification/{call.call_id}")
        is_taken = await self._repository.add(
            notification_id=notification_id,
            context_id=call.context_id,
            job_id=call.job_id,
            run_id=call.run_id,
            title=clean(title),
            body=clean(body),
            most=MOST_OF_A_RUN,
        )
        if is_taken:
            await self._hint(
                NotificationRequested(
                    context_id=call.context_id,
                    job_id=call.job_id,
                    run_id=call.run_id,
                    notification_id=notification_id,
                )
            )
        return is_taken
