"""Failed sign-ins per address, in the memory of this process."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from rota_gateway.errors import TooManyRequestsError

WINDOW_SECONDS = 300.0
# Beyond it the address that failed longest ago is forgotten.
MAX_ADDRESSES = 10_000


class FailureLimit:
    def __init__(self, attempts: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempts = attempts
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises TooManyRequestsError when the address has failed too often of late."""
        failures = self._failures.get(address)
        if not failures:
            return
        now = self._clock()
        while failures and failures[0] <= now - WINDOW_SECONDS:
            failures.popleft()
        if len(failures) >= self._attempts:
            wait = int(failures[0] + WINDOW_SECONDS - now) + 1
            raise TooManyRequestsError(
                f"Too many failed sign-ins from this address; try again in {wait} s.",
                headers={"Retry-After": str(wait)},
            )

    def record(self, address: str) -> None:
        self._failures.setdefault(address, deque(maxlen=self._attempts)).append(self._clock())
        self._failures.move_to_end(address)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
