"""Every SQL statement of the executor."""

from rota_executor.repository.attempts import (
    AttemptKey,
    Claimed,
    Ended,
    Repository,
    Standing,
    Unpublished,
)

__all__ = ["AttemptKey", "Claimed", "Ended", "Repository", "Standing", "Unpublished"]
