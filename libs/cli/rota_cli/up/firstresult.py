"""The first thing worth seeing: the report of the demo's first run."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rota_cli.client.api import Api
from rota_cli.errors import CliError

_PATIENCE_SECONDS = 300
_POLL_SECONDS = 1


def report_first_result(
    url: str, key: str, say: Callable[[str], None], *, command: str, data_dir: Path
) -> None:
    """Wait for a finished run and show it; says so when none comes."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with Api(url, key) as api:
        while time.monotonic() < deadline:
            run = _first(api)
            if run:
                say(report(run))
                return
            time.sleep(_POLL_SECONDS)
    say(
        f"no result yet after {_PATIENCE_SECONDS // 60} minutes: "
        f"see '{command} jobs list' and {data_dir / 'logs'}"
    )


def report(run: dict[str, Any]) -> str:
    seconds = (run.get("execution_duration_ms") or 0) / 1000
    who = f"{run.get('job_name')} by {run.get('agent_name')}"
    title = f"first result: {who}, {run.get('status')} in {seconds:.1f} s"
    content = run.get("result_content") or run.get("error_message") or "(no words)"
    return "\n".join(["", title, *(f"  {line}" for line in str(content).splitlines()), ""])


def _first(api: Api) -> dict[str, Any] | None:
    try:
        return next(iter(api.items("/runs", limit=1)), None)
    except CliError:  # the gateway may be restarting
        return None
