"""What is installed is pinned, checked by a hash, and no more than a service needs."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"))
# What `uv export` writes: the package, its one version, where it applies, its hashes.
ENTRY = re.compile(
    r"([a-z0-9-]+(?:\[[a-z0-9,-]+\])?)==([^\s;]+)(?: ; [^\\]+)?((?: --hash=sha256:[0-9a-f]{64})+)"
)


def entries(lock: Path) -> list[str]:
    """One line per package, comments left out."""
    lines = (line.split(" #")[0].rstrip() for line in lock.read_text().splitlines())
    text = "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
    return [re.sub(r"\s*\\\n\s+", " ", entry) for entry in re.split(r"\n(?=\S)", text)]


def versions(lock: Path) -> set[tuple[str, str]]:
    return {(match[1], match[2]) for entry in entries(lock) if (match := ENTRY.fullmatch(entry))}


def names(lock: str) -> set[str]:
    return {name for name, _ in versions(REQUIREMENTS / f"{lock}.txt")}


def test_there_is_a_lock_for_every_service() -> None:
    services = {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")}
    assert services
    assert services <= {lock.stem for lock in LOCKS}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_line_is_pinned_with_a_hash_and_names_no_address(lock: Path) -> None:
    assert entries(lock)
    assert [entry for entry in entries(lock) if not ENTRY.fullmatch(entry)] == []
    assert re.findall(r"\w+://\S+|--\w*index\S*|--find-links\S*", lock.read_text()) == []


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock.stem != "model"], ids=lambda lock: lock.stem)
def test_what_a_service_gets_is_what_the_tests_were_run_with(lock: Path) -> None:
    assert versions(lock) - versions(REQUIREMENTS / "dev.txt") == set()


def test_a_service_gets_no_package_of_another() -> None:
    assert "pydantic-ai-slim" in names("executor")
    assert "aiosmtplib" in names("notifier")
    assert not {name for name in names("ticker") if name.startswith("pydantic-ai")}
    assert "aiosmtplib" not in names("gateway")
    assert "fastapi" not in names("results")


def test_the_workspace_is_built_with_what_the_lock_pins() -> None:
    """`make install` builds without isolation: the builder must be in the lock."""
    projects = [path for pattern in ("libs/*", "services/*", "migrations") for path in ROOT.glob(pattern)]
    systems = [tomllib.loads((path / "pyproject.toml").read_text())["build-system"] for path in projects]
    builders = {re.split(r"[<>=~!]", need)[0] for system in systems for need in system["requires"]}
    assert builders == {"hatchling"}
    assert {"hatchling", "editables"} <= names("dev")
    makefile = (ROOT / "Makefile").read_text()
    assert all("--no-build-isolation" in line for line in makefile.splitlines() if " -e " in line)
