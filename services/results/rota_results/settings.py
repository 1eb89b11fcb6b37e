from pydantic import Field

from rota_chassis.settings import ServiceSettings


class ResultsSettings(ServiceSettings):
    """What results is told beside what every service is."""

    sweep_seconds: float = Field(
        default=5.0,
        gt=0,
        le=300,
        validation_alias="RESULTS_SWEEP_SECONDS",
        description="how often outcomes whose event was lost, and unannounced results, are looked for",
    )
    approval_expiry_seconds: float = Field(
        default=86_400.0,
        gt=0,
        le=30 * 86_400,
        validation_alias="RESULTS_APPROVAL_EXPIRY_SECONDS",
        description="how long a call waits for a person where neither its job nor its agent says",
    )
    retention_days: int = Field(
        default=365,
        ge=7,
        le=3650,
        validation_alias="RESULTS_RETENTION_DAYS",
        description="how long results and conversations are kept",
    )
