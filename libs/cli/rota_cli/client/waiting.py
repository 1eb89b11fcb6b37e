"""Waiting for what goes on elsewhere."""

import time
from collections.abc import Mapping
from typing import Any

from rota_cli.client.api import Api, ApiError
from rota_cli.errors import CliError

_POLL_SECONDS = 0.5
_NOT_FOUND = 404


def wait_for_run(api: Api, run_id: str, *, seconds: float) -> dict[str, Any]:
    """The run, once it has ended. One that was closed without running is an error with the reason."""
    deadline = time.monotonic() + seconds
    while True:
        run = _found(api, f"/runs/{run_id}")
        if run and run.get("completed_at"):
            return run
        if run:
            _check_not_closed(run)
        if time.monotonic() > deadline:
            raise CliError(
                f"run {run_id} has not ended after {seconds:g} s",
                remedy=f"it goes on: see it later with 'rota runs show {run_id}'",
            )
        time.sleep(_POLL_SECONDS)


def _check_not_closed(run: Mapping[str, Any]) -> None:
    """What was closed without running never leaves a result."""
    if run.get("disposition") not in {None, "ran"}:
        reason = run.get("reason") or "no reason is known"
        raise CliError(
            f"run {run['run_id']} was {run['disposition']}: {reason}",
            remedy="ask for another one when nothing stands in its way",
        )


def _found(api: Api, path: str) -> dict[str, Any] | None:
    """None while there is nothing at the address yet."""
    try:
        found: dict[str, Any] = api.get(path)
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    return found
