"""The page of each service names the tables that PostgreSQL lets it read and write, and no others."""

import re
from pathlib import Path

import pytest

from tests.support.servers import SERVICES
from tests.support.world import World

ROOT = Path(__file__).parents[3]


def documented(service: str, title: str) -> set[str]:
    """The tables in a row of the page, explanations in parentheses left out."""
    page = (ROOT / "services" / service / "README.md").read_text()
    [row] = re.findall(rf"^\| {title} \| (.*) \|$", page, re.MULTILINE)
    return set(re.findall(r"`([^`]+)`", re.sub(r"\([^)]*\)", "", str(row))))


@pytest.mark.parametrize("service", SERVICES)
async def test_the_documented_tables_are_those_that_are_granted(world: World, service: str) -> None:
    found = await world.sql(
        "SELECT table_name::text, array_agg(privilege_type::text) FROM information_schema.role_table_grants "
        "WHERE grantee = :role GROUP BY table_name",
        role=f"rota_{service}",
    )
    granted = {name: set(privileges) for name, privileges in found}
    assert documented(service, "writes") == {name for name, may in granted.items() if may - {"SELECT"}}
    assert documented(service, "reads") == {name for name, may in granted.items() if may == {"SELECT"}}
