class ScheduleError(ValueError):
    """A schedule that cannot be; `field` is the part that is wrong, `reason` says why and where."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
