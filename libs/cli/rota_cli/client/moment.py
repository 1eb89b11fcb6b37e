"""Instants and durations as people read them."""

from datetime import UTC, datetime

from rota_cli.errors import CliError

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def given(text: str) -> str:
    """What a person wrote as an instant, with a zone: the local one where they named none.

    Raises:
        CliError: it is no instant.

    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CliError(
            f"{text!r} is no instant", remedy="write it like 2027-01-31T09:00, with Z or +01:00 if not local"
        ) from error
    return moment.astimezone().isoformat() if moment.tzinfo is None else text


def local_time(text: str | None) -> str:
    """In the local zone, to the second; empty for none."""
    moment = instant(text)
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else ""


def zone_name() -> str:
    """The short name of the local zone now: the times of a table are in it."""
    return datetime.now(UTC).astimezone().tzname() or "local time"


def relative(text: str | None, now: datetime) -> str:
    """`in 5 min`, `2 h ago`; empty for none."""
    moment = instant(text)
    if moment is None:
        return ""
    seconds = (moment - now).total_seconds()
    size = abs(round(seconds))
    if size == 0:
        return "now"
    width, unit = next(pair for pair in _UNITS if size >= pair[0])
    return f"in {size // width} {unit}" if seconds > 0 else f"{size // width} {unit} ago"


def duration(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    seconds = milliseconds / 1000
    return f"{milliseconds} ms" if seconds < 1 else f"{seconds:.1f} s" if seconds < 60 else _minutes(seconds)


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s"
