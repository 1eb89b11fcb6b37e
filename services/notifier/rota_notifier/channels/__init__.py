"""Where messages go, one file per channel."""

from typing import Protocol

from rota_notifier.domain import Letter


class Sender(Protocol):
    """A channel that is configured."""

    async def send(self, letter: Letter) -> None:
        """Hands a letter over.

        Raises:
            TransportError: it was not taken.

        """
        ...
