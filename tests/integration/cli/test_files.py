"""`rota apply` and `rota export` against a real HTTP server that speaks as the gateway does."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.test_client import CONTEXT, Gateway, Rota, gateway, rota

__all__ = ["gateway", "rota"]  # fixtures

PATH = f"/contexts/{CONTEXT}/apply"
TEXT = "context: home\nowner: team\njobs:\n  - name: Morning\n    cron_expression: 0 7 * * *\n"
JOBS = [{"name": "Morning", "cron_expression": "0 7 * * *"}]
CHANGE = {"field": "priority", "old": 5, "new": 2}
PLAN: dict[str, Any] = {
    "changes": [
        {"kind": "job", "name": "Morning", "action": "update", "fields": [CHANGE]},
        {"kind": "mcp_server", "name": "garden", "action": "create", "fields": []},
    ],
    "unchanged": 3,
    "is_applied": False,
}


@pytest.fixture(autouse=True)
def _home(gateway: Gateway) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "team.yaml"
    path.write_text(TEXT)
    return path


def test_the_plan_is_shown_and_applied(gateway: Gateway, rota: Rota, file: Path) -> None:
    gateway.answer("POST", PATH, PLAN)
    gateway.answer("POST", PATH, {**PLAN, "is_applied": True})
    said = rota("apply", "-f", str(file), "--yes", "--prune")
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        "~ job 'Morning'",
        "    priority: 5 -> 2",
        "+ mcp server 'garden'",
        f"{file}: 2 to change, 3 as they are",
        "applied: 2 changed",
    ]
    sent = {"jobs": JOBS, "owner": "team", "prune": True}
    assert [one[3] for one in gateway.asked[-2:]] == [{**sent, "dry_run": True}, sent]


def test_a_plan_alone_applies_nothing(gateway: Gateway, rota: Rota, file: Path) -> None:
    gateway.answer("POST", PATH, PLAN)
    rota("apply", "-f", str(file), "--dry-run")
    assert gateway.asked[-1][3]["dry_run"] is True


def test_what_changes_nothing_is_not_applied(gateway: Gateway, rota: Rota, file: Path) -> None:
    gateway.answer("POST", PATH, {**PLAN, "changes": []})
    assert rota("apply", "-f", str(file)).code == 0
    assert gateway.asked[-1][3]["dry_run"] is True


def test_what_is_wrong_is_told_with_its_line(gateway: Gateway, rota: Rota, file: Path) -> None:
    problem = {"errors": [{"field": "jobs[0].cron_expression", "message": "is no schedule"}], "detail": "x"}
    gateway.answer("POST", PATH, problem, status=422)
    said = rota("apply", "-f", str(file), "--yes")
    assert (said.code, f"{file}:5: jobs[0].cron_expression: is no schedule" in said.err) == (1, True)
    file.write_text("jobs: []\n")
    assert "name the context" in rota("apply", "-f", str(file)).err
    assert "cannot read" in rota("apply", "-f", "/nowhere.yaml").err


def test_a_context_is_exported_as_it_is_applied(gateway: Gateway, rota: Rota, tmp_path: Path) -> None:
    gateway.answer("GET", f"/contexts/{CONTEXT}/export", {"jobs": JOBS})
    said = rota("export", "-c", "home")
    assert said.out == "context: home\njobs:\n- name: Morning\n  cron_expression: 0 7 * * *\n"
