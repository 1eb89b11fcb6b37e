"""Every SQL statement of results."""

from rota_results.repository.results import MAX_SWEPT, RETENTION, Repository, Unannounced

__all__ = ["MAX_SWEPT", "RETENTION", "Repository", "Unannounced"]
