"""TCP ports on the loopback interface: is it free, and which one to take."""

import os
import random
import socket
import sys
import weakref
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


def reserve(port: int) -> int | None:
    """Claim the port among the Rota processes of this machine, before anybody listens on it.

    Two systems that start at the same moment would both find the usual port free. The claim is a
    name in the kernel that ends with the file descriptor, so also with a killed process. None:
    already claimed.
    """
    claim = socket.socket(socket.AF_UNIX)
    if sys.platform == "linux":
        try:
            claim.bind(f"\0rota-port-{port}")
        except OSError:
            claim.close()
            return None
    return claim.detach()


class KeptPort:
    """A port that stays the same over restarts, remembered in a file."""

    def __init__(self, file: Path, *, preferred: int = 0) -> None:
        self._file = file
        self._preferred = preferred
        self._claim: weakref.finalize[..., KeptPort] | None = None
        self.number: int | None = None

    @property
    def wanted(self) -> int:
        """The one of last time, else the preferred one; it may be taken."""
        return self._remembered() or self._preferred

    def choose(self) -> int:
        """The one of last time, else the preferred one, else any that is free; then it is fixed."""
        if self.number is not None:
            if self._claim is None:
                self._hold(reserve(self.number))
            return self.number
        for candidate in (self._remembered(), self._preferred):
            if candidate and self.take(candidate):
                return candidate
        while not self.take(port := free_port()):
            pass
        return port

    def take(self, port: int) -> bool:
        """Fix this port if it is free and nobody else is about to use it."""
        if not is_free(port) or (claim := reserve(port)) is None:
            return False
        self.release()
        self.number = port
        self._hold(claim)
        self._file.write_text(f"{port}\n")
        return True

    def release(self) -> None:
        """Give up the claim; the number stays."""
        if self._claim:
            self._claim()
            self._claim = None

    def forget(self) -> None:
        self.release()
        self.number = None
        self._preferred = 0
        self._file.unlink(missing_ok=True)

    def _hold(self, claim: int | None) -> None:
        """Until `release`, or as long as anybody knows this object."""
        if claim is not None:
            self._claim = weakref.finalize(self, os.close, claim)

    def _remembered(self) -> int:
        try:
            return int(self._file.read_text())
        except (OSError, ValueError):
            return 0
