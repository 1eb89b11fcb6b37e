from pydantic import Field

from rota_chassis.settings import ServiceSettings


class TickerSettings(ServiceSettings):
    """What the ticker is told beside what every service is."""

    poll_seconds: float = Field(
        default=1.0,
        gt=0,
        le=60,
        validation_alias="TICKER_POLL_SECONDS",
        description="how long a lost hint may go unnoticed",
    )
    reconcile_seconds: float = Field(
        default=2.0,
        gt=0,
        le=60,
        validation_alias="TICKER_RECONCILE_SECONDS",
        description="how often open occurrences are compared with their attempts",
    )
    redispatch_seconds: float = Field(
        default=60.0,
        ge=1,
        validation_alias="TICKER_REDISPATCH_SECONDS",
        description="after how long without an attempt job.due is said again",
    )
    batch_size: int = Field(default=500, ge=1, le=1000, validation_alias="TICKER_BATCH_SIZE")
    ledger_retention_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        validation_alias="TICKER_LEDGER_RETENTION_DAYS",
        description="how long the ledger is kept, in whole months",
    )
