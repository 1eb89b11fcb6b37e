"""One approval, on the embedded model: it asks, an operator changes what it says, and that is said."""

from typing import Any

from tests.support.eventually import eventually
from tests.support.up import RotaUp

AGENT = {
    "name": "Messenger",
    "model": "local:smollm2",
    "system_prompt": "You tell people what they asked to be told.",
    # A model this small does not choose a tool by itself.
    "model_settings": {"tool_choice": ["send_notification"], "max_tokens": 200, "temperature": 0},
    "tools": [{"tool_name": "send_notification"}],
}
JOB = {
    "name": "Tell about the beds",
    "cron_expression": "0 0 1 1 *",
    "agent_name": "Messenger",
    "skill_prompt": "Tell everybody that the beds are dry.",
}


async def test_the_embedded_model_asks_and_goes_on_when_an_operator_has_decided(up: RotaUp) -> None:
    async with up.api() as api:
        context = (await api.post("/contexts", json={"name": "Garden"})).json()["id"]
        made = await api.post("/agents", json={**AGENT, "context_id": context})
        assert made.status_code == 201, made.text
        job = (await api.post(f"/contexts/{context}/jobs", json=JOB)).json()["id"]
        run = (await api.post(f"/jobs/{job}/run")).json()["run_id"]

        async def ended(status: str) -> Any:
            found = (await api.get(f"/runs/{run}")).json()
            assert found.get("status") in {None, "partial", status}, found
            return found if found.get("status") == status else None

        parked = await eventually(lambda: ended("partial"), seconds=90, what="a run that waits")
        assert parked["pending_actions_created"] == 1

        async def waiting() -> Any:
            return (await api.get("/approvals", params={"context_id": context})).json()["items"]

        (action,) = await eventually(waiting, seconds=30, what="the call that waits")
        assert (action["tool_name"], action["arguments"].keys() >= {"title"}) == ("send_notification", True)
        said = {"title": "The beds are dry", "message": "Water them."}
        ann = (await api.post("/users", json={"email": "gardener@example.org"})).json()["id"]
        key = (await api.post(f"/users/{ann}/api-keys", json={"name": "first"})).json()["key"]
        async with up.api(key) as operator:
            for role, status in (("editor", 403), ("operator", 200)):
                await api.put(f"/contexts/{context}/members/gardener@example.org", json={"role": role})
                decided = await operator.post(f"/approvals/{action['id']}/approve", json={"arguments": said})
                assert decided.status_code == status, decided.text
        assert decided.json()["decided_by"] == ann
        again = await api.post(f"/approvals/{action['id']}/deny", json={})
        assert again.status_code == 409
        done = await eventually(lambda: ended("success"), seconds=90, what="the end of the run")
        assert done["attempt"] == 2
        told = (await api.get("/notifications", params={"limit": 200})).json()["items"]
    messages = [one for one in told if (one["run_id"], one["category"]) == (run, "message")]
    assert [(one["title"], one["body"]) for one in messages] == [("The beds are dry", "Water them.")]
