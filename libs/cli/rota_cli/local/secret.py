"""Secrets that are made once and kept in files only their owner can read."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Replace `file` in one step: it is never half written and never readable for others."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.replace(file)


def new_credential_key() -> str:
    """32 random bytes in URL-safe base64, which is what the services take for a key."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def kept_secret(file: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(24)) -> str:
    """The secret in `file`, made on first use."""
    if file.exists() and (kept := file.read_text().strip()):
        return kept
    made = make()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(file, f"{made}\n")
    return made
