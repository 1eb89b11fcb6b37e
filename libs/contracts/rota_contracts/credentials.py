"""What is said of a credential: which kinds there are, and the place that one is sealed for."""

from typing import Literal
from uuid import UUID

Kind = Literal["secret", "http", "google"]


def place_of(context_id: UUID, name: str) -> str:
    """A credential opens in the row of this context and name, and in no other."""
    return f"{context_id}/{name}"
