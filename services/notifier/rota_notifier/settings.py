from pydantic import Field, SecretStr

from rota_chassis.settings import ServiceSettings


class NotifierSettings(ServiceSettings):
    """What the notifier is told beside what every service is."""

    smtp_url: SecretStr | None = Field(
        default=None,
        validation_alias="NOTIFIER_SMTP_URL",
        description="smtp://user:password@host:587 (STARTTLS where offered) or smtps://…:465; none: no email",
    )
    email_from: str = Field(
        default="rota@localhost", min_length=3, max_length=255, validation_alias="NOTIFIER_EMAIL_FROM"
    )
    sweep_seconds: float = Field(
        default=5.0,
        gt=0,
        le=300,
        validation_alias="NOTIFIER_SWEEP_SECONDS",
        description="how often deliveries that are due again are looked for",
    )
    max_attempts: int = Field(
        default=8,
        ge=1,
        le=50,
        validation_alias="NOTIFIER_MAX_ATTEMPTS",
        description="after so many failures a delivery is given up",
    )
    retention_days: int = Field(
        default=90,
        ge=7,
        le=3650,
        validation_alias="NOTIFIER_RETENTION_DAYS",
        description="how long notifications and their deliveries are kept",
    )
