"""iCalendar files of callers: each is read by a process that is killed when it takes too long.

A few lines of such a file can mean hours of work, and no library bounds it. In a process of its own the work
takes no time from requests, and ends when it must.
"""

import asyncio
import contextlib
import json
import os
import sys
from datetime import date
from typing import Any

from rota_chassis import logs
from rota_gateway.domain.ics import IcsError
from rota_gateway.errors import TooManyRequestsError

log = logs.logger(__name__)

READ_SECONDS = 10.0
# Whoever has a file read holds a connection of the pool meanwhile.
MAX_AT_ONCE = 2
REMEDY = "leave out repeated events with long lists or from long ago, or give the days themselves as dates"
_places = asyncio.Semaphore(MAX_AT_ONCE)


async def days_in(text: str, today: date, at_most: int) -> list[date]:
    """The days that the events of a file touch; see `rota_gateway.domain.ics.days_of`.

    Raises:
        IcsError: what is wrong with the file, or that it takes too long to read.
        TooManyRequestsError: as many files as may be are being read.

    """
    asked = json.dumps({"text": text, "today": today.isoformat(), "at_most": at_most}).encode()
    if _places.locked():
        raise TooManyRequestsError(
            "Other iCalendar files are being read; try again in a moment.", headers={"Retry-After": "5"}
        )
    async with _places:
        answer = await _read(asked)
    if "problem" in answer:
        raise IcsError(answer["problem"])
    return [date.fromisoformat(day) for day in answer["days"]]


async def _read(asked: bytes) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "rota_gateway.ics_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
    )
    try:
        async with asyncio.timeout(READ_SECONDS):
            output, _ = await process.communicate(asked)
    except TimeoutError:
        log.warning("an iCalendar file takes too long", action="calendar_refused", bytes=len(asked))
        return {"problem": f"takes longer than {READ_SECONDS:g} s to read: {REMEDY}"}
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode != 0:
        log.warning("an iCalendar file broke its reader", action="calendar_refused", bytes=len(asked))
        return {"problem": f"takes too much memory to read: {REMEDY}"}
    answer: dict[str, Any] = json.loads(output)
    return answer


def _environment() -> dict[str, str]:
    """Where Python and its packages are; no secret of the gateway."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "SYSTEMROOT") if name in os.environ}
