"""Budgets over the API: whose they are, what must fit together, who may change them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from rota_contracts.budgets import period_start
from tests.integration.gateway.conftest import Person
from tests.support.world import World

MODEL = "anthropic:claude-sonnet-4-5"
NO_PRICE = "openai:of-tomorrow"


async def refused(person: Person, context: str, body: dict[str, Any]) -> dict[str, str]:
    response = await person.http.post(f"/api/v1/contexts/{context}/budgets", json={"period": "day", **body})
    assert response.status_code == 422, response.text
    return {error["field"]: error["message"] for error in response.json()["errors"]}


async def patch(person: Person, budget: str, body: dict[str, Any], *, status: int = 200) -> Any:
    response = await person.http.patch(f"/api/v1/budgets/{budget}", json=body)
    assert response.status_code == status, response.text
    return response.json()


async def an_agent(person: Person, context: str, model: str = MODEL) -> None:
    await person.post("/agents", {"name": "Briefer", "context_id": context, "model": model})


async def test_a_budget_is_made_shown_changed_and_deleted(person: Person) -> None:
    context = await person.context()
    path = f"/contexts/{context}/budgets"
    made = await person.post(path, {"period": "month", "tokens_limit": 5_000_000, "cost_limit": "12.50"})
    assert (made["tokens_limit"], made["cost_limit"], made["policy"]) == (5_000_000, "12.5", "stop")
    assert (made["job_id"], made["agent_name"]) == (None, None)
    assert (made["used_tokens"], made["used_cost"]) == (0, "0")
    start = period_start("month", datetime.now(UTC))
    assert made["period_start"] == start.isoformat().replace("+00:00", "Z")
    address = f"/budgets/{made['id']}"
    assert await person.get(address) == made
    assert (await person.get(path))["items"] == [made]
    changed = await patch(
        person, made["id"], {"policy": "fallback", "fallback_model": "ollama:qwen3", "tokens_limit": None}
    )
    assert (changed["policy"], changed["fallback_model"]) == ("fallback", "ollama:qwen3")
    assert (changed["tokens_limit"], changed["cost_limit"]) == (None, "12.5")
    # Another policy has no use for the model.
    changed = await patch(person, made["id"], {"policy": "pause", "cost_limit": 3})
    assert (changed["fallback_model"], changed["cost_limit"]) == (None, "3")
    assert (await person.http.delete(f"/api/v1{address}")).status_code == 204
    assert (await person.http.get(f"/api/v1{address}")).status_code == 404


async def test_it_shows_what_is_used_of_the_period_that_goes_on(person: Person, world: World) -> None:
    context = await person.context()
    made = await person.post(f"/contexts/{context}/budgets", {"period": "day", "tokens_limit": 100})
    for start, used in ((datetime(2020, 1, 1, tzinfo=UTC), 99), (datetime.now(UTC), 40)):
        await world.sql(
            "INSERT INTO budget_periods (budget_id, period_start, context_id, used_tokens, used_cost,"
            " reserved_tokens) VALUES (:id, :start, :context, :used, 0.0033, 7)",
            id=made["id"],
            start=period_start("day", start),
            context=context,
            used=used,
        )
    shown = await person.get(f"/budgets/{made['id']}")
    assert (shown["used_tokens"], shown["used_cost"], shown["reserved_tokens"]) == (40, "0.0033", 7)


async def test_it_may_be_of_one_agent_or_one_job(person: Person) -> None:
    context = await person.context()
    await an_agent(person, context)
    job = await person.job(context, agent_name="Briefer")
    path = f"/contexts/{context}/budgets"
    of_agent = await person.post(path, {"period": "day", "cost_limit": 1, "agent_name": "Briefer"})
    of_job = await person.post(path, {"period": "day", "cost_limit": 1, "job_id": job["id"]})
    assert of_agent["agent_name"] == "Briefer"
    assert (of_job["job_id"], of_job["job_name"]) == (job["id"], job["name"])
    # One of each kind and period.
    said = await person.post(path, {"period": "day", "tokens_limit": 5, "agent_name": "Briefer"}, status=409)
    assert said["errors"][0]["field"] == "period"
    await person.post(path, {"period": "month", "tokens_limit": 5, "agent_name": "Briefer"})
    assert (await person.http.delete(f"/api/v1/jobs/{job['id']}")).status_code == 204
    assert len((await person.get(path))["items"]) == 2


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "tokens_limit", "at least one of the two"),
    ({"tokens_limit": 0}, "tokens_limit", "greater than or equal to 1"),
    ({"cost_limit": -1}, "cost_limit", "greater than 0"),
    ({"cost_limit": "0.00000001"}, "cost_limit", "decimal places"),
    ({"tokens_limit": 5, "period": "year"}, "period", "'day' or 'month'"),
    ({"tokens_limit": 5, "policy": "fallback"}, "fallback_model", "is missing"),
    ({"tokens_limit": 5, "fallback_model": "ollama:qwen3"}, "fallback_model", "is for policy fallback"),
    (
        {"tokens_limit": 5, "policy": "fallback", "fallback_model": "x"},
        "fallback_model",
        "3 char",
    ),
    (
        {"cost_limit": 5, "policy": "fallback", "fallback_model": NO_PRICE},
        "fallback_model",
        f"nobody knows what '{NO_PRICE}' costs",
    ),
    ({"tokens_limit": 5, "agent_name": "nobody"}, "agent_name", "there is no agent 'nobody'"),
    ({"tokens_limit": 5, "job_id": str(uuid4())}, "job_id", "no job of this context"),
    ({"tokens_limit": 5, "warn_at": 50}, "warn_at", "no such field"),
]


@pytest.mark.parametrize(("body", "field", "words"), REFUSED, ids=[f"{f}-{w[:9]}" for _, f, w in REFUSED])
async def test_what_does_not_fit_together_names_the_field(
    person: Person, body: dict[str, Any], field: str, words: str
) -> None:
    errors = await refused(person, await person.context(), body)
    assert list(errors) == [field]
    assert words in errors[field]


async def test_money_is_no_budget_for_models_whose_price_nobody_knows(person: Person) -> None:
    context = await person.context()
    await an_agent(person, context, NO_PRICE)
    said = await refused(person, context, {"cost_limit": 5, "agent_name": "Briefer"})
    assert f"nobody knows what '{NO_PRICE}' of the agent 'Briefer' costs" in said["cost_limit"]
    path = f"/contexts/{context}/budgets"
    # No job of the context runs it yet.
    made = await person.post(path, {"period": "day", "cost_limit": 5})
    await person.job(context, agent_name="Briefer")
    errors = (await patch(person, made["id"], {"cost_limit": 6}, status=422))["errors"]
    assert [error["field"] for error in errors] == ["cost_limit"]
    await patch(person, made["id"], {"cost_limit": 6, "tokens_limit": 1000})


async def test_only_owners_say_what_may_be_spent_and_strangers_see_nothing(
    person: Person, other: Person
) -> None:
    context = await person.context()
    path = f"/contexts/{context}/budgets"
    made = await person.post(path, {"period": "day", "tokens_limit": 5})
    address = f"/budgets/{made['id']}"
    for place in (path, address):
        assert (await other.http.get(f"/api/v1{place}")).status_code == 404
    await patch(other, made["id"], {"tokens_limit": 6}, status=404)
    await other.joins(context, "editor")
    assert (await other.get(address))["tokens_limit"] == 5
    await other.post(path, {"period": "month", "tokens_limit": 5}, status=403)
    await patch(other, made["id"], {"tokens_limit": 6}, status=403)
    assert (await other.http.delete(f"/api/v1{address}")).status_code == 403
    assert (await person.get(address))["tokens_limit"] == 5


async def test_a_budget_cannot_be_of_a_job_of_somebody_else(person: Person, other: Person) -> None:
    theirs = await other.job(await other.context())
    said = await refused(person, await person.context(), {"tokens_limit": 5, "job_id": theirs["id"]})
    assert list(said) == ["job_id"]
