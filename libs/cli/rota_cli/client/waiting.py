"""Waiting for what goes on elsewhere."""

import time
from typing import Any

from rota_cli.client.api import Api, ApiError
from rota_cli.errors import CliError

_POLL_SECONDS = 0.5
_NOT_FOUND = 404


def wait_for_run(api: Api, run_id: str, *, seconds: float) -> dict[str, Any]:
    """The run, once it has ended."""
    deadline = time.monotonic() + seconds
    while True:
        run = _run(api, run_id)
        if run and run.get("completed_at"):
            return run
        if time.monotonic() > deadline:
            raise CliError(
                f"run {run_id} has not ended after {seconds:g} s",
                remedy=f"it goes on: see it later with 'rota runs show {run_id}'",
            )
        time.sleep(_POLL_SECONDS)


def _run(api: Api, run_id: str) -> dict[str, Any] | None:
    """None while the run has left no trace yet."""
    try:
        found: dict[str, Any] = api.get(f"/runs/{run_id}")
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    return found
