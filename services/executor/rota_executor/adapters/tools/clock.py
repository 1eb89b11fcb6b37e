"""The date and time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


async def now(arguments: Mapping[str, Any]) -> str:
    name = str(arguments.get("timezone") or "UTC")
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone") from error
    return f"it is {datetime.now(zone):%A %Y-%m-%d %H:%M:%S} in {name}"
