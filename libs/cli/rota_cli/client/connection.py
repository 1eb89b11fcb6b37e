"""Which gateway to talk to, and with which key."""

import os
from dataclasses import dataclass
from pathlib import Path

from rota_cli.errors import CliError


@dataclass(frozen=True)
class Connection:
    url: str
    key: str


def resolve(*, url: str | None, api_key_file: Path | None, data_dir: Path) -> Connection:
    """From the command line, else the environment, else what `rota up` left in the data directory.

    The key in the data directory goes to the gateway of that directory and to no other one.
    """
    local = _content(data_dir / "url")
    chosen = (url or os.environ.get("ROTA_URL") or local or "").rstrip("/")
    if not chosen:
        raise CliError(
            f"no gateway is known: nothing runs on {str(data_dir)!r}",
            remedy="start one with 'rota up', or name one with --url or ROTA_URL",
        )
    if "://" not in chosen:
        raise CliError(f"{chosen!r} is no address of a gateway", remedy=f"write http://{chosen}")
    key = _chosen_key(api_key_file) or (_content(data_dir / "api-key") if chosen == local else None)
    if not key:
        raise CliError(f"there is no key for {chosen}", remedy="give one with ROTA_API_KEY or --api-key-file")
    if not (key.isascii() and key.isprintable()):
        raise CliError(
            "the API key has characters that no key has", remedy="correct ROTA_API_KEY or --api-key-file"
        )
    return Connection(chosen, key)


def _chosen_key(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("ROTA_API_KEY") or None
    try:
        key = file.read_text().strip()
    except OSError as error:
        raise CliError(
            f"cannot read the key in {str(file)!r}: {error.strerror}", remedy="correct --api-key-file"
        ) from error
    if not key:
        raise CliError(f"{str(file)!r} is empty", remedy="put the API key into it")
    return key


def _content(file: Path) -> str | None:
    try:
        return file.read_text().strip() or None
    except PermissionError as error:
        raise CliError(f"cannot read {str(file)!r}: {error.strerror}", remedy="run as its owner") from error
    except OSError:
        return None
