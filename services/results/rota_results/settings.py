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
