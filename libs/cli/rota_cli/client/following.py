"""A run, followed live until it has ended; whatever breaks in between, it goes on where it was."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from rota_cli.client.api import Api, ApiError, Event
from rota_cli.client.transcript import heading
from rota_cli.errors import CliError

PAUSE_SECONDS = 1.0
# How long a gateway may be away.
PATIENCE_SECONDS = 60.0
SERVER_ERRORS = 500


def followed(api: Api, path: str) -> Iterator[Event]:
    """The events of a run, each once, `end` as the last.

    Raises:
        CliError: there is no such run, or no gateway for a minute.

    """
    last, heard_at = "", time.monotonic()
    while True:
        try:
            for event in api.events(path, after=last):
                last, heard_at = event.id, time.monotonic()
                yield event
                if event.name == "end":
                    return
        except ApiError as error:
            if error.status < SERVER_ERRORS or time.monotonic() - heard_at > PATIENCE_SECONDS:
                raise
        except CliError:
            if time.monotonic() - heard_at > PATIENCE_SECONDS:
                raise
        time.sleep(PAUSE_SECONDS)


class Printer:
    """Says what happens as it happens; a text that was printed piece by piece is not printed again."""

    def __init__(self) -> None:
        self._printed = 0

    def text(self, event: Event) -> str:
        """What to print of it, line ends included."""
        match event.name:
            case "attempt":
                return self._line(f"--- attempt {event.data['attempt']} ---")
            case "text":
                begin = "" if self._printed else "assistant:\n"
                self._printed += len(event.data["text"])
                return begin + str(event.data["text"])
            case "message":
                return self._message(event.data)
            case "waiting":
                calls = ", ".join(f"{call['tool_name']} ({call['id']})" for call in event.data["calls"])
                return self._line(f"--- waits for a person: {calls}; see 'rota approvals' ---")
            case "end":
                return self._line(f"--- {ending(event.data)} ---")
            case _:
                return ""

    def _line(self, text: str) -> str:
        """On a line of its own, also where a text was broken off."""
        begin, self._printed = "\n" if self._printed else "", 0
        return f"{begin}{text}\n"

    def _message(self, message: Mapping[str, Any]) -> str:
        printed, self._printed = self._printed, 0
        if printed:
            return f"{message['content'][printed:]}\n({heading(message)})\n"
        return f"{heading(message)}:\n{message['content']}\n"


def ending(end: Mapping[str, Any]) -> str:
    """`success: nothing`, `error: …`, `skipped: …`."""
    what = end["status"] or end["disposition"] or "ended"
    why = end["error_message"] or end["reason"] if what != "success" else end["outcome_status"]
    return f"{what}: {why}" if why else str(what)
