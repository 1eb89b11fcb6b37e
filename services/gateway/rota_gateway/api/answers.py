"""What answers have in common."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

# RFC 3339 in UTC, written with a Z.
Instant = Annotated[datetime, AfterValidator(lambda instant: instant.astimezone(UTC))]


class Answer(BaseModel):
    """Made from a row of a repository."""

    model_config = ConfigDict(extra="ignore")
