"""What answers have in common."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

# RFC 3339 in UTC, written with a Z.
Instant = Annotated[datetime, AfterValidator(lambda instant: instant.astimezone(UTC))]
# Of an occurrence: where it is, and what became of it once it is closed.
State = Literal["queued", "dispatched", "running", "parked", "closed"]
Disposition = Literal["ran", "skipped", "missed", "coalesced", "suppressed"]


class Answer(BaseModel):
    """Made from a row of a repository."""

    model_config = ConfigDict(extra="ignore")
