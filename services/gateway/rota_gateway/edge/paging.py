"""Keyset pages: a cursor is the sort key of the last row, opaque to the caller."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel

from rota_gateway.errors import FieldError, InvalidError

Item = TypeVar("Item")
Key = tuple[datetime, UUID]


class Page(BaseModel, Generic[Item]):
    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True)
class Paging:
    limit: int
    after: Key | None

    @property
    def fetch(self) -> int:
        """One row more than is shown tells whether there is another page."""
        return self.limit + 1

    def page(
        self, rows: Sequence[Any], item: Callable[[Any], Item], key: tuple[str, str] = ("created_at", "id")
    ) -> Page[Item]:
        """The page of the rows; `key` names the two columns they are ordered by."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        cursor = encode((shown[-1][key[0]], shown[-1][key[1]])) if more else None
        return Page(items=[item(row) for row in shown], next_cursor=cursor)


def encode(key: Key) -> str:
    text = json.dumps([key[0].isoformat(), str(key[1])])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> Key:
    """Raises InvalidError for what `encode` never made."""
    try:
        instant, identity = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        # An instant without a zone is no cursor of ours; read as local time it does no harm.
        return datetime.fromisoformat(instant).astimezone(UTC), UUID(identity)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InvalidError([FieldError("cursor", "This is no cursor of this list.")]) from error


def _paging(
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Paging:
    return Paging(limit, decode(cursor) if cursor is not None else None)


CurrentPaging = Annotated[Paging, Depends(_paging)]
