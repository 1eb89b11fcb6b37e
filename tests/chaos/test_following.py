"""Somebody follows a run, live: late, again, over a wait for a person, over the death of what carries it."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from tests.chaos.test_effects import give_tool
from tests.support.eventually import eventually
from tests.support.recorded import WRITES
from tests.support.servers import Servers
from tests.support.speaking import Speaker, speaker
from tests.support.system import API_KEY, System
from tests.support.world import World


@pytest.fixture(scope="module")
def model() -> Iterator[Speaker]:
    with speaker() as running:
        yield running


@pytest.fixture(scope="module")
async def shared_system(
    servers: Servers, model: Speaker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async with World.created(servers) as world:
        logs = tmp_path_factory.mktemp("logs")
        async with System.running(
            world, logs, also=("executor-2",), EXECUTOR_LOCAL_MODEL_URL=model.url
        ) as running:
            yield running


@dataclass
class Reader:
    """What one follower has been told."""

    ids: list[str] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The pieces of text, one after the other."""
        return "".join(data["text"] for name, data in self.events if name == "text")

    def messages(self, attempt: int | None = None) -> list[tuple[int, str, str]]:
        return [
            (data["position"], data["role"], data["content"])
            for name, data in self.events
            if name == "message" and attempt in {None, data["attempt"]}
        ]

    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    async def until(self, name: str, text: str = "") -> None:
        async def is_told() -> bool:
            return name in self.names() and text in self.text

        await eventually(is_told, seconds=60, what=f"{name} and {text!r} to be told")


@contextlib.asynccontextmanager
async def reading(system: System, run_id: str, *, after: str = "") -> AsyncIterator[Reader]:
    """Follows the run while the block runs."""
    reader = Reader()
    listening = asyncio.create_task(_read(system, run_id, after, reader))
    try:
        yield reader
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _read(system: System, run_id: str, after: str, reader: Reader) -> None:
    headers = {"Last-Event-ID": after} if after else {}
    path = f"/api/v1/runs/{run_id}/events"
    async with system.api.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200
        id_ = name = ""
        async for line in response.aiter_lines():
            field_, _, value = line.partition(": ")
            if field_ == "id":
                id_ = value
            elif field_ == "event":
                name = value
            elif field_ == "data":
                reader.ids.append(id_)
                reader.events.append((name, json.loads(value)))


async def a_run(system: System, model: Speaker, *, tool: str | None = None) -> tuple[UUID, str]:
    """A run whose model waits for its words: its context and its id."""
    context = await system.many_jobs(1, model="local:talk")
    if tool:
        await give_tool(system, context, tool, policy="ask")
    asked = len(model.requests)
    await system.make_due(context)

    async def is_asked() -> bool:
        return len(model.requests) > asked

    await eventually(is_asked, seconds=60, what="the request to the model")
    run_id = await system.world.value("SELECT run_id FROM run_attempts WHERE context_id = :c", c=context)
    return context, str(run_id)


async def test_who_comes_late_or_again_is_told_everything_once(system: System, model: Speaker) -> None:
    _, run_id = await a_run(system, model)
    async with reading(system, run_id) as first:
        model.say("Hello")
        await first.until("text", "Hello")
    async with reading(system, run_id) as late:
        await late.until("text", "Hello")
    model.say(" from the other side")
    async with reading(system, run_id, after=first.ids[-1]) as again:
        await again.until("text", " from the other side")
        model.say(".")
        model.end()
        await again.until("end")
    # The last piece may have been told with the whole.
    assert again.text in {" from the other side", " from the other side."}
    assert late.names()[0] == "attempt"
    assert [role for _, role, _ in late.messages()] == ["system", "user"]
    [answer] = again.messages()
    assert answer == (3, "assistant", "Hello from the other side.")
    name, end = again.events[-1]
    assert (name, end["status"], end["outcome_status"]) == ("end", "success", "changed")
    # It ended long ago: the same from the transcript, from the start and from within.
    async with reading(system, run_id) as after:
        await after.until("end")
    assert after.messages() == [*late.messages(), answer]
    [told] = [data for name, data in after.events if name == "message" and data["role"] == "assistant"]
    assert (told["input_tokens"], told["output_tokens"], told["model"]) == (11, 5, "talk")
    assert told["duration_ms"] > 0
    async with reading(system, run_id, after=first.ids[-1]) as rest:
        await rest.until("end")
    assert rest.messages() == [answer]


async def test_a_run_is_followed_over_a_wait_for_a_person(system: System, model: Speaker) -> None:
    """Approved, it goes on, at another executor perhaps; what was told before is not told again."""
    context, run_id = await a_run(system, model, tool=WRITES)
    async with reading(system, run_id) as reader:
        model.say("I will write.")
        model.call(WRITES, {})
        model.end()
        await reader.until("waiting")
        [action] = (await system.get(f"/approvals?context_id={context}&status=pending"))["items"]
        await system.post(f"/approvals/{action['id']}/approve", {}, status=200)
        model.say("It is written.")
        model.end()
        await reader.until("end")
    assert [data["attempt"] for name, data in reader.events if name == "attempt"] == [1, 2]
    positions = [position for position, _, _ in reader.messages()]
    assert positions == list(range(1, 7))
    assert [role for _, role, _ in reader.messages(2)] == ["tool", "assistant"]
    assert reader.messages(2)[-1] == (6, "assistant", "It is written.")
    assert reader.events[-1][1]["status"] == "success"


async def test_a_run_is_followed_over_the_death_of_its_executor(system: System, model: Speaker) -> None:
    """I2: the next attempt begins anew, and the follower is told so and all of that."""
    _, run_id = await a_run(system, model)
    async with reading(system, run_id) as reader:
        model.say("Once upon a time")
        await reader.until("text", "Once upon a time")
        executor = await system.world.value(
            "SELECT executor FROM run_attempts WHERE run_id = :r", r=UUID(run_id)
        )
        pid = int(executor.split("/")[1])
        [name] = [name for name, child in system.processes.items() if child.pid == pid]
        system.kill(name)
        asked = len(model.requests)

        async def is_asked_again() -> bool:
            return len(model.requests) > asked

        await eventually(is_asked_again, seconds=60, what="another attempt")
        model.say("There was")
        await reader.until("text", "There was")
        model.end()
        await reader.until("end")
    assert reader.events[-1][1]["status"] == "success"
    assert [data["attempt"] for name, data in reader.events if name == "attempt"] == [1, 2]
    assert reader.messages(2)[-1] == (3, "assistant", "There was")


async def test_a_run_and_who_follows_it_outlive_nats(system: System, model: Speaker) -> None:
    """What was said while NATS was away is told in the end, each thing once."""
    _, run_id = await a_run(system, model)
    nats = system.world.servers.nats
    async with reading(system, run_id) as reader:
        model.say("Before.")
        await reader.until("text", "Before.")
        nats.kill()
        model.say(" Meanwhile.")
        await asyncio.to_thread(nats.start)
        model.say(" After.")
        model.end()
        await reader.until("end")
    assert [content for _, _, content in reader.messages()][-1] == "Before. Meanwhile. After."
    assert [position for position, _, _ in reader.messages()] == [1, 2, 3]


async def test_the_command_shows_the_run_and_ends_as_it_did(system: System, model: Speaker) -> None:
    _, run_id = await a_run(system, model)
    port = system.ports["gateway"]
    following = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rota_cli", "runs", "follow", run_id, "--url", f"http://127.0.0.1:{port}"),
        env={**os.environ, "ROTA_API_KEY": API_KEY},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    model.say("One,")
    assert following.stdout is not None
    async with asyncio.timeout(60):
        said = await following.stdout.readuntil(b"One,")
        model.say(" two.")
        model.end()
        rest, errors = await following.communicate()
    shown = (said + rest).decode()
    assert following.returncode == 0, errors.decode()
    assert "--- attempt 1 ---\nsystem:\nBe brief.\n" in shown
    assert "assistant:\nOne, two.\n(assistant (talk, " in shown
    assert shown.endswith("--- success: changed ---\n")
