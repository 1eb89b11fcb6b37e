"""What is said of runs on NATS while they go on."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from rota_contracts.codec import decode
from rota_contracts.events import RunFollowed, RunProgress
from tests.integration.executor.conftest import Stage
from tests.support.eventually import eventually
from tests.support.speaking import Speaker, speaker


@pytest.fixture
def model() -> Iterator[Speaker]:
    with speaker() as running:
        yield running


class Heard:
    def __init__(self) -> None:
        self.events: list[RunProgress] = []
        self.sizes: list[int] = []

    @classmethod
    async def on(cls, stage: Stage) -> "Heard":
        heard = cls()

        async def hear(message: Any) -> None:
            event = decode(message.subject, message.data, message.headers)
            assert isinstance(event, RunProgress)
            heard.events.append(event)
            heard.sizes.append(len(message.data))

        await stage.world.nats_admin.subscribe("run.progress.>", cb=hear)
        await stage.world.nats_admin.flush()
        return heard

    def steps(self) -> list[tuple[int, str]]:
        return [
            (step.position, step.entry.content if step.entry else step.text)
            for event in self.events
            for step in event.steps
        ]


async def test_what_a_run_says_is_told_in_order_and_again_for_who_follows(
    stage: Stage, model: Speaker
) -> None:
    heard = await Heard.on(stage)
    await stage.an_agent("local:talk")
    gateway = await stage.world.bus("gateway")
    async with stage.executor(EXECUTOR_LOCAL_MODEL_URL=model.url):
        due = await stage.due()
        model.say("Hello")

        async def is_told(times: int) -> bool:
            return heard.steps().count((3, "Hello")) == times

        await eventually(lambda: is_told(1), what="the first words")
        assert heard.steps() == [(1, "Be brief."), (2, "Do it."), (3, "Hello")]
        await gateway.hint(RunFollowed(context_id=due.context_id, job_id=due.job_id, run_id=due.run_id))
        await eventually(lambda: is_told(2), what="the first words again")
        model.end()
        await stage.completed(due)

        async def has_ended() -> bool:
            return heard.steps()[-1] == (3, "Hello") and heard.events[-1].steps[-1].entry is not None

        await eventually(has_ended, what="the whole answer")
    assert [event.number for event in heard.events] == list(range(1, len(heard.events) + 1))
    assert heard.steps()[3:6] == heard.steps()[:3]


async def test_a_talkative_model_is_told_in_few_messages_of_a_bounded_size(
    stage: Stage, model: Speaker
) -> None:
    heard = await Heard.on(stage)
    await stage.an_agent("local:talk")
    text = "many words, each of them a piece " * 10
    async with stage.executor(EXECUTOR_LOCAL_MODEL_URL=model.url):
        due = await stage.due()
        began = asyncio.get_running_loop().time()
        for _ in range(150):
            model.say(text)
        model.end()
        completed = await stage.completed(due)
        seconds = asyncio.get_running_loop().time() - began
    assert completed.content == text * 150
    assert 1 <= len(heard.events) <= 10 * seconds + 3
    assert max(heard.sizes) <= 64_000


async def test_a_run_without_a_model_says_nothing(stage: Stage) -> None:
    heard = await Heard.on(stage)
    assert (await stage.ran(tool="clock")).status == "success"
    await stage.an_agent("scripted:noop")
    ended = await stage.ran()

    async def is_told() -> bool:
        return bool(heard.events)

    await eventually(is_told, what="the run with a model")
    assert {event.run_id for event in heard.events} == {ended.run_id}
