"""Reads one iCalendar file in a process of its own, which may take neither long nor much (python -m).

Input and output are JSON: {"text", "today", "at_most"} and {"days"} or {"problem"}.
"""

import json
import sys
from datetime import date

from rota_gateway.domain.ics import IcsError, days_of

MAX_MEMORY = 2**30


def main() -> None:
    _limit_memory()
    asked = json.load(sys.stdin)
    try:
        days = days_of(asked["text"], date.fromisoformat(asked["today"]), asked["at_most"])
    except IcsError as error:
        answer: dict[str, object] = {"problem": str(error)}
    else:
        answer = {"days": [day.isoformat() for day in days]}
    json.dump(answer, sys.stdout)


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415  absent on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


if __name__ == "__main__":
    main()
