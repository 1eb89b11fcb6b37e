"""The first thing worth seeing: what the demo's agent reports."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rota_cli.client.api import Api
from rota_cli.client.moment import duration, local_time, zone_name
from rota_cli.errors import CliError

_PATIENCE_SECONDS = 300
_POLL_SECONDS = 1
_DEMO_AGENT = "watchman"
# Who makes more runs than these before the demo's first has ended needs no demo.
_AT_MOST = 100


def report_first_result(
    url: str, key: str, say: Callable[[str], None], *, command: str, data_dir: Path
) -> None:
    """Show the latest result, or wait for the first one; says so when none comes."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with Api(url, key) as api:
        if runs := _latest(api, 1):
            say(report(runs[0], title="latest result"))
            return
        say("the demo's first result comes within two minutes ...")
        while time.monotonic() < deadline:
            for run in _latest(api, _AT_MOST):
                if run["agent_name"] == _DEMO_AGENT:
                    say(report(run, title="first result"))
                    return
            time.sleep(_POLL_SECONDS)
    say(
        f"no result yet after {_PATIENCE_SECONDS // 60} minutes: "
        f"see '{command} jobs list' and {data_dir / 'logs'}"
    )


def report(run: dict[str, Any], *, title: str) -> str:
    what = f"{title}: {run.get('job_name')} by {run.get('agent_name')}, {run.get('status')}"
    when = f"at {local_time(run.get('completed_at'))} {zone_name()}"
    content = run.get("result_content") or run.get("error_message") or "(no words)"
    lines = [f"  {line}" for line in str(content).splitlines()]
    return "\n".join(["", f"{what} {when} in {duration(run.get('execution_duration_ms'))}", *lines, ""])


def _latest(api: Api, count: int) -> list[dict[str, Any]]:
    try:
        return api.items("/runs", limit=count)
    except CliError:  # the gateway may be restarting
        return []
