"""What README.md says is what is there: its commands are run as they stand, its links and names looked up."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.up import BIN, RotaUp

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("services/*/README.md"))]
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
FENCED = re.findall(r"^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CODE = "\n".join([*FENCED, *re.findall(r"`([^`\n]+)`", README)])


def help_of(*command: str) -> str:
    """What the command prints with --help; fails when there is no such command."""
    plain = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    return subprocess.run(
        [BIN / "rota", *command, "--help"], env=plain, capture_output=True, text=True, check=True
    ).stdout


async def test_the_commands_of_the_readme_do_what_they_say(up: RotaUp, tmp_path: Path) -> None:
    """Run verbatim, in order, in one shell; only the data directory and the environment are elsewhere."""
    assert len(COMMANDS) == 7
    (tmp_path / ".rota").symlink_to(up.data_dir)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", "\n".join(COMMANDS)],
        cwd=tmp_path,
        env=up.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stderr == ""

    async def succeeded() -> bool:
        jobs = (await up.rota("jobs", "list"))["items"]
        return {"Home": "Disk check", "Work": "Morning check"}.items() <= {
            job["context_name"]: job["name"]
            for job in jobs
            if (job["run_count"], job["error_count"], job["last_run_status"]) == (1, 0, "success")
        }.items()

    await eventually(succeeded, seconds=60, what="one success of each job of the README")
    runs: list[dict[str, Any]] = (await up.rota("runs", "list", "--limit", "200"))["items"]
    for name in ("Disk check", "Morning check"):
        [run] = [run for run in runs if run["job_name"] == name]
        assert (run["status"], run["trigger"], run["agent_name"]) == ("success", "manual", "watchman")
        assert "disk" in run["result_content"].lower()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (page.parent / link).exists()] == []


def test_every_make_target_that_it_names_exists() -> None:
    targets = set(re.findall(r"^make ([a-z-]+)", CODE, re.MULTILINE))
    assert {"up", "test", "check"} <= targets
    subprocess.run(["make", "--dry-run", *sorted(targets)], cwd=ROOT, capture_output=True, check=True)


def test_every_command_and_option_that_it_names_exists() -> None:
    """`rota up`, `rota jobs create --cron …` and so on, in the text and in the examples."""
    lines = [
        line for line in CODE.replace("\\\n", " ").splitlines() if re.match(r"(\.venv/bin/)?rota ", line)
    ]
    groups = {
        "agents",
        "approvals",
        "budgets",
        "calendars",
        "contexts",
        "credentials",
        "effects",
        "grants",
        "jobs",
        "keys",
        "mcp",
        "members",
        "notifications",
        "runs",
        "users",
    }
    named = set()
    for line in lines:
        words = line.split()[1:]
        command = tuple(words[: 2 if words[0] in groups else 1])
        named.add(command)
        known = help_of(*command)
        assert [option for option in re.findall(r"(?<=\s)--[a-z-]+", line) if option not in known] == []
    assert {("up",), ("down",), ("jobs", "create"), ("jobs", "run"), ("runs", "list")} <= named


def test_the_table_of_flags_is_that_of_the_command() -> None:
    told = re.findall(r"^\| `(--[a-z-]+)", README, re.MULTILINE)
    known = set(re.findall(r"--[a-z-]+", help_of("up"))) - {"--help", "--demo"}
    assert sorted(told) == sorted(known)
