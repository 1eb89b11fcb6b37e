"""What a person may choose about `rota up`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rota_cli.up.services import SERVICES

DEFAULT_DATA_DIR = Path(".rota")
DEFAULT_PORT = 8080
_MOST_INSTANCES = 64


@dataclass(frozen=True)
class Options:
    data_dir: Path = DEFAULT_DATA_DIR
    port: int | None = None
    """None: the usual port, or one near it when that is taken."""
    scale: Mapping[str, int] = field(default_factory=dict)
    model: Literal["local", "none"] = "local"
    demo: bool = True

    def arguments(self) -> list[str]:
        """The same choices as arguments of the command line."""
        port = ["--port", str(self.port)] if self.port is not None else []
        scale = [text for name, number in self.scale.items() for text in ("--scale", f"{name}={number}")]
        demo = [] if self.demo else ["--no-demo"]
        return ["--data-dir", str(self.data_dir), "--model", self.model, *port, *scale, *demo]


def parse_scale(texts: Sequence[str]) -> dict[str, int]:
    """`executor=3` and so on.

    Raises:
        ValueError: with words for the person who typed it.

    """
    scale: dict[str, int] = {}
    for text in texts:
        service, _, number = text.partition("=")
        if service not in SERVICES:
            raise ValueError(f"{service!r} is no service; choose from {', '.join(SERVICES)}")
        if not number.isdecimal() or not 1 <= int(number) <= _MOST_INSTANCES:
            raise ValueError(f"{text!r}: write {service}=N with N from 1 to {_MOST_INSTANCES}")
        scale[service] = int(number)
    return scale
