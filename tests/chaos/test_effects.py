"""An executor is killed around a tool that writes: what may have been done is not done again (I4)."""

from typing import Any
from uuid import UUID

import pytest

from tests.support.audit import never_twice_at_once
from tests.support.eventually import eventually
from tests.support.recorded import READS, WRITES, Execution, overlapping
from tests.support.system import System


async def give_tool(system: System, context: UUID, tool: str, policy: str = "auto") -> None:
    """Lets the agent of the context call it."""
    await system.world.sql(
        "INSERT INTO agent_tools (agent_id, tool_name, policy) SELECT id, :t, :p"
        " FROM agent_configurations"
        " WHERE context_id = :c",
        t=tool,
        p=policy,
        c=context,
    )


async def killed_while(system: System, *, model: str, tool: str, how: str) -> list[Execution]:
    """One run of an agent; its executor is killed when the tool is that far (`none`: not yet called)."""
    system.kill("executor-2")
    context = await system.many_jobs(1, model=model)
    await give_tool(system, context, tool)
    await system.make_due(context)
    await system.under_way(context)

    async def that_far() -> bool:
        calls = [call for call in system.executions() if call.context_id == str(context)]
        return not calls if how == "none" else [call.how for call in calls] == [how]

    await eventually(that_far, seconds=60, what=f"{tool} to be {how}")
    system.kill("executor")
    system.start("executor-2")
    await system.all_accounted_for(context, 1)
    calls = [call for call in system.executions() if call.context_id == str(context)]
    never_twice_at_once(calls)
    return calls


async def result_of(system: System, call: Execution) -> tuple[str, str | None, str]:
    [row] = await system.world.sql(
        "SELECT status, error_kind, error_message FROM agent_execution_results WHERE run_id = :r",
        r=call.run_id,
    )
    return row.status, row.error_kind, row.error_message or ""


async def test_killed_before_it_writes_the_run_is_repeated(system: System) -> None:
    """I4: nothing was written yet, so the next attempt does it, once."""
    [call] = await killed_while(system, model=f"recorded:{WRITES}:2:0", tool=WRITES, how="none")
    assert (call.attempt, call.how) == (2, "ended")
    assert (await result_of(system, call))[:2] == ("success", None)


async def test_killed_after_it_wrote_the_run_is_not_repeated(system: System) -> None:
    """I4: the tool is done and the answer is not: the run ends as interrupted, and a person decides."""
    [call] = await killed_while(system, model=f"recorded:{WRITES}:0:60", tool=WRITES, how="ended")
    status, kind, message = await result_of(system, call)
    assert (status, kind) == ("error", "interrupted")
    assert WRITES in message


async def test_killed_after_it_only_read_the_run_is_repeated(system: System) -> None:
    """I4: reading again harms nobody."""
    calls = await killed_while(system, model=f"recorded:{READS}:0:2", tool=READS, how="ended")
    assert [call.attempt for call in calls] == [1, 2]
    assert (await result_of(system, calls[0]))[:2] == ("success", None)


@pytest.mark.parametrize("retries", [0, 3])
async def test_killed_while_it_writes_the_run_is_not_repeated(system: System, retries: int) -> None:
    """I4: nobody knows whether it took effect, and the result says just that, whatever the retries."""
    system.kill("executor-2")
    context = await system.many_jobs(1, tool=WRITES, arguments={"seconds": 30}, retries=retries)
    await system.make_due(context)

    async def writing() -> list[Execution]:
        return [call for call in system.executions() if call.context_id == str(context)]

    await eventually(writing, seconds=60, what="the tool to begin")
    system.kill("executor")
    system.start("executor-2")
    await system.all_accounted_for(context, 1)
    [call] = await writing()
    status, kind, message = await result_of(system, call)
    assert (status, kind) == ("error", "interrupted")
    assert WRITES in message
    assert "not known" in message


async def interrupted_call(system: System, context: UUID) -> dict[str, Any]:
    """The only call of the context's only run, which was interrupted."""
    asked = {"context_id": str(context)}

    async def found() -> list[dict[str, Any]]:
        answer = await system.api.get("/api/v1/effects", params=asked)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    [call] = await eventually(found, seconds=60, what="the call of an interrupted run")
    return call


async def said_of(system: System, call: dict[str, Any], word: str) -> None:
    answer = await system.api.post(f"/api/v1/effects/{call['id']}/{word}", json={})
    assert answer.status_code == 200, answer.text
    assert (await system.api.post(f"/api/v1/effects/{call['id']}/confirm", json={})).status_code == 409


async def a_run_killed_while_it_writes(system: System, seconds: float) -> UUID:
    """Killed before the tool took effect; its context."""
    system.kill("executor-2")
    context = await system.many_jobs(1, tool=WRITES, arguments={"seconds": seconds})
    await system.make_due(context)

    async def writing() -> list[Execution]:
        return [call for call in system.executions() if call.context_id == str(context)]

    await eventually(writing, seconds=60, what="the tool to begin")
    system.kill("executor")
    system.start("executor-2")
    await system.all_accounted_for(context, 1)
    return context


async def test_a_call_that_a_person_wants_again_is_made_once_more(system: System) -> None:
    """I4: killed before the effect; told to do it again, another attempt does it."""
    context = await a_run_killed_while_it_writes(system, 5)
    call = await interrupted_call(system, context)
    assert (call["state"], call["is_open"], call["arguments"]) == ("started", True, {"seconds": 5})
    await said_of(system, call, "repeat")

    async def again() -> bool:
        run = (await system.api.get(f"/api/v1/runs/{call['run_id']}")).json()
        return (run["status"], run["attempt"]) == ("success", 3)

    await eventually(again, seconds=60, what="the run to be made again")
    calls = [one for one in system.executions() if one.context_id == str(context)]
    assert overlapping(calls) == []
    assert [(one.attempt, one.how) for one in calls] == [(1, "died"), (3, "ended")]


async def test_a_call_that_took_effect_by_a_persons_word_is_not_made_again(system: System) -> None:
    """I4: the run stays as it ended, also after another executor and ticker looked at it."""
    context = await a_run_killed_while_it_writes(system, 30)
    call = await interrupted_call(system, context)
    await said_of(system, call, "confirm")
    await system.all_accounted_for(context, 1)
    run = (await system.api.get(f"/api/v1/runs/{call['run_id']}")).json()
    assert (run["status"], run["error_kind"], run["state"]) == ("error", "interrupted", "closed")
    assert len([one for one in system.executions() if one.context_id == str(context)]) == 1


async def test_a_call_that_is_done_is_made_again_only_when_a_person_wants_it(system: System) -> None:
    """I4: killed after the effect, before the answer."""
    [first] = await killed_while(system, model=f"recorded:{WRITES}:0:3", tool=WRITES, how="ended")
    context = UUID(first.context_id)
    call = await interrupted_call(system, context)
    assert (call["state"], call["is_open"]) == ("done", False)
    await said_of(system, call, "repeat")

    async def again() -> bool:
        run = (await system.api.get(f"/api/v1/runs/{call['run_id']}")).json()
        return (run["status"], run["attempt"]) == ("success", 3)

    await eventually(again, seconds=60, what="the run to be made again")
    calls = [one for one in system.executions() if one.context_id == str(context)]
    assert [(one.attempt, one.how) for one in calls] == [(1, "ended"), (3, "ended")]
