"""TCP ports on the loopback interface: is it free, and which one to take."""

import random
import socket
from pathlib import Path

_LOWEST = 10240
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ATTEMPTS = 100


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections of a former server that still linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port below those that the system gives to outgoing connections.

    A client that reconnects to a stopped server in that range can be given the server's own port
    as its source: it then talks to itself, and the server finds its port taken.
    """
    for _ in range(_ATTEMPTS):
        port = random.randrange(_LOWEST, _first_ephemeral())  # noqa: S311 - spreads, protects nothing
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_ephemeral() -> int:
    try:
        first = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = 32768
    return max(first, _LOWEST + 1000)


class KeptPort:
    """A port that stays the same over restarts, remembered in a file."""

    def __init__(self, file: Path, *, preferred: int = 0) -> None:
        self._file = file
        self._preferred = preferred
        self.number: int | None = None

    def choose(self) -> int:
        """The one of last time, else the preferred one, else any that is free; then it is fixed."""
        if self.number is None:
            candidates = (self._remembered(), self._preferred)
            self.fix(next((port for port in candidates if port and is_free(port)), None) or free_port())
        assert self.number is not None
        return self.number

    @property
    def wanted(self) -> int:
        """The one of last time, else the preferred one; it may be taken."""
        return self._remembered() or self._preferred

    def fix(self, number: int) -> None:
        self.number = number
        self._file.write_text(f"{number}\n")

    def forget(self) -> None:
        self.number = None
        self._preferred = 0
        self._file.unlink(missing_ok=True)

    def _remembered(self) -> int:
        try:
            return int(self._file.read_text())
        except (OSError, ValueError):
            return 0
