"""What is said in an attempt, as it grows."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rota_contracts.transcript import Entry


def _nobody() -> None:
    """Hears of no change."""


@dataclass
class Transcript:
    """`resumed` entries at its beginning were said before the run parked, in another attempt."""

    entries: list[Entry] = field(default_factory=list)
    resumed: int = 0
    # The text that the model is saying now, of the entry of that number, counted from 0.
    writing: str = ""
    number: int = 0
    changed: Callable[[], None] = _nobody

    def add(self, *entries: Entry) -> None:
        if entries:
            self.entries += entries
            self.writing = ""
            self.changed()

    def write(self, number: int, text: str) -> None:
        """The entry of that number goes on with the text."""
        self.writing = self.writing + text if number == self.number else text
        self.number = number
        self.changed()
