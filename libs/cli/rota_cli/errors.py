"""What the command line tells a person before it exits with status 1."""


class CliError(Exception):
    """Something that the person can do something about."""

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{reason}\nwhat to do: {remedy}" if remedy else reason)
