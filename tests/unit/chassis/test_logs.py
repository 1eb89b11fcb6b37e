"""What stands in a log line, and what never does."""

import json
import subprocess
import sys
from typing import Literal

import pytest

FAILING = """
from rota_chassis import logs
logs.configure("gateway", style={style!r})
log = logs.logger("test")
def handle(api_key):
    raise RuntimeError("no luck")
try:
    handle("rota_" + "s3cret"[::-1])
except RuntimeError:
    log.exception("a request failed", action="failed", run_id="r1")
import logging
logging.getLogger("library").warning("told by a library")
"""


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_failure_is_told_without_the_values_of_variables(style: Literal["console", "json"]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING.format(style=style)], capture_output=True, text=True, check=True
    )
    assert "no luck" in done.stdout
    assert "told by a library" in done.stdout
    assert "terc3s" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) < 20


def test_a_line_of_json_carries_the_service_the_action_and_the_ids() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING.format(style="json")], capture_output=True, text=True, check=True
    )
    line = json.loads(done.stdout.splitlines()[0])
    assert (line["service"], line["action"], line["run_id"], line["level"]) == (
        "gateway",
        "failed",
        "r1",
        "error",
    )
    assert "RuntimeError" in line["exception"]
