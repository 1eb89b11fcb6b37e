"""Which private hosts tools of a context may reach: an administrator's business."""

import pytest

from rota_store import StatementError
from tests.integration.gateway.conftest import Person, Served
from tests.support.world import World

HOSTS = ["printer.example.org", "10.0.0.5:8080", "[fd00::1]:443"]


async def test_an_administrator_opens_hosts(served: Served, person: Person) -> None:
    admin = await served.person(is_admin=True)
    context = await person.context("Home")
    assert (await person.get(f"/contexts/{context}"))["allowed_hosts"] == []
    changed = await admin.http.patch(f"/api/v1/contexts/{context}", json={"allowed_hosts": HOSTS})
    assert changed.json()["allowed_hosts"] == HOSTS
    made = await admin.post("/contexts", {"name": "Work", "allowed_hosts": ["NAS.local"]})
    assert made["allowed_hosts"] == ["nas.local"]
    # Its owner may change the rest, and say the same again.
    again = await person.http.patch(
        f"/api/v1/contexts/{context}", json={"name": "House", "allowed_hosts": HOSTS}
    )
    assert (again.status_code, again.json()["name"]) == (200, "House")


async def test_nobody_else_does(person: Person, world: World) -> None:
    context = await person.context()
    response = await person.http.patch(f"/api/v1/contexts/{context}", json={"allowed_hosts": HOSTS})
    assert (response.status_code, "administrator" in response.json()["detail"]) == (403, True)
    await person.post("/contexts", {"name": "Mine", "allowed_hosts": HOSTS}, status=403)
    # Not even past the code of the gateway.
    for statement in (
        "UPDATE contexts SET allowed_hosts = '{localhost}' WHERE id = :id",
        "INSERT INTO contexts (name, allowed_hosts) VALUES (CAST(:id AS text), '{localhost}')",
    ):
        with pytest.raises(StatementError, match="only an administrator"):
            async with world.database("gateway").transaction(person.id) as connection:
                await connection.execute(statement, {"id": context})


@pytest.mark.parametrize("host", ["http://x", "a b", "x/y", "x:99999", "user@x", "*", "", "fd00::1", "x:"])
async def test_what_is_no_host_is_refused(served: Served, host: str) -> None:
    admin = await served.person(is_admin=True)
    problem = await admin.post("/contexts", {"name": "Work", "allowed_hosts": [host]}, status=422)
    assert [error["field"] for error in problem["errors"]] == ["allowed_hosts[0]"]
