"""Of a context: hosts as people write them, and what members may be."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from rota_gateway.api.fields import Label

Role = Literal["owner", "editor", "operator", "viewer"]
HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)


def _host(value: str) -> str:
    found = HOST.fullmatch(value.lower())
    if not found or int(found[1] or 0) > 65_535:
        raise ValueError("must be a host or host:port, like printer.example.org, 10.0.0.5:8080 or [fd00::1]")
    return value.lower()


Host = Annotated[Label, AfterValidator(_host)]
