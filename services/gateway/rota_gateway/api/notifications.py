from typing import Literal
from uuid import UUID

from fastapi import APIRouter

from rota_gateway.api.answers import Answer, Instant
from rota_gateway.edge.paging import CurrentPaging, Page
from rota_gateway.edge.unit import ApiRoute, CurrentUnit
from rota_gateway.errors import NotFoundError
from rota_gateway.repository import notifications

router = APIRouter(tags=["notifications"], route_class=ApiRoute)


class Notification(Answer):
    id: UUID
    context_id: UUID
    run_id: UUID
    job_id: UUID | None
    category: Literal["success", "error", "approval_needed", "approval_reminder", "paused", "message"]
    title: str
    body: str
    is_read: bool
    created_at: Instant


class Notifications(Page[Notification]):
    unread_count: int


class Read(Answer):
    read: int


@router.get("/notifications")
async def list_notifications(
    unit: CurrentUnit, paging: CurrentPaging, *, unread: bool = False
) -> Notifications:
    """Newest first; `unread=true` leaves out what you have read."""
    found = await notifications.page(unit.connection, paging.after, paging.fetch, unread_only=unread)
    page = paging.page(found, Notification.model_validate)
    count = await notifications.unread_count(unit.connection)
    return Notifications(items=page.items, next_cursor=page.next_cursor, unread_count=count)


@router.post("/notifications/read-all")
async def read_all_notifications(unit: CurrentUnit) -> Read:
    return Read(read=await notifications.mark_all_read(unit.connection, unit.caller.id))


@router.post("/notifications/{notification_id}/read", status_code=204)
async def read_notification(notification_id: UUID, unit: CurrentUnit) -> None:
    if not await notifications.mark_read(unit.connection, unit.caller.id, notification_id):
        raise NotFoundError("notification")
