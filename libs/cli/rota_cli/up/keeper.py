"""Keeps a part running: when it dies it is started again, later and later while it goes on dying."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from rota_cli.local.errors import LocalPartError
from rota_cli.up.program import ending

_FIRST_SECONDS = 0.5
_LIMIT_SECONDS = 30.0
_RESET_SECONDS = 60.0


class Part(Protocol):
    @property
    def name(self) -> str: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def wait(self) -> int: ...


class Backoff:
    """How long to wait before the next start; forgiven after a long life."""

    def __init__(self) -> None:
        self._next = _FIRST_SECONDS

    def delay(self, *, lived_seconds: float) -> float:
        if lived_seconds >= _RESET_SECONDS:
            self._next = _FIRST_SECONDS
        delay, self._next = self._next, min(self._next * 2, _LIMIT_SECONDS)
        return delay


class Keeper:
    def __init__(self, part: Part, say: Callable[[str], None]) -> None:
        self.part = part
        self.deaths = 0
        self._say = say
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._backoff = Backoff()

    def watch(self) -> None:
        """From now on restart the part, which runs already, whenever it dies."""
        self._thread = threading.Thread(target=self._keep, name=f"keep-{self.part.name}", daemon=True)
        self._thread.start()

    def start(self) -> None:
        self.part.start()
        self.watch()

    def release(self) -> None:
        """Restart it no more."""
        self._stopping.set()

    def stop(self) -> None:
        """End the part and the watch over it, also while it is being started."""
        self.release()
        self.part.stop()
        while self._thread and self._thread.is_alive():
            self._thread.join(0.05)
            self.part.stop()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            code = self.part.wait()
            if self._stopping.is_set():
                return
            self.deaths += 1
            delay = self._backoff.delay(lived_seconds=time.monotonic() - started)
            self._say(f"{self.part.name} died ({ending(code)}); starting it again in {delay:g} s")
            if self._stopping.wait(delay):
                return
            self._start_again()

    def _start_again(self) -> None:
        try:
            self.part.start()
        except LocalPartError as error:
            if not self._stopping.is_set():
                self._say(str(error))
        else:
            self._say(f"{self.part.name} runs again")
