"""`python -m tests.bench.wire`: what a message costs on its way: CPU of this process and of nats-server."""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil
from rich.console import Console
from rich.table import Table

from rota_bus import Bus, Subscription, ack_all
from rota_chassis.lifecycle import run_loop
from rota_cli.local.nats import NatsServer
from rota_contracts.codec import decode, encode_all
from rota_contracts.events import JobDue, JobSnapshot
from rota_contracts.streams import DEAD_LETTERS, EXECUTOR, JOBS

BATCH = 500
SINGLES = 200


def a_due() -> JobDue:
    now = datetime.now(UTC)
    job = JobSnapshot(
        name="a job",
        agent_name="noop",
        skill_prompt="x" * 100,
        cron_expression="* * * * *",
        timezone="UTC",
        timeout_seconds=30,
        max_retries=0,
        generation=1,
    )
    return JobDue(
        context_id=uuid4(),
        job_id=uuid4(),
        run_id=uuid4(),
        attempt=1,
        scheduled_for=now,
        effective_at=now,
        trigger="schedule",
        job=job,
    )


class Meter:
    """Microseconds per message of each step, as a table."""

    def __init__(self, server: int) -> None:
        self._processes = (psutil.Process(), psutil.Process(server))
        self.table = Table(title=f"microseconds per message, batches of {BATCH}, fsync always")
        for column in ("", "client", "nats-server", "elapsed"):
            self.table.add_column(column, justify="right" if column else "left")

    @contextlib.contextmanager
    def measure(self, step: str, messages: int) -> Iterator[None]:
        before, begun = self._cpu(), time.perf_counter()
        yield
        spent = [after - early for early, after in zip(before, self._cpu(), strict=True)]
        figures = (*spent, time.perf_counter() - begun)
        self.table.add_row(step, *(f"{figure / messages * 1e6:.1f}" for figure in figures))

    def _cpu(self) -> list[float]:
        times = [process.cpu_times() for process in self._processes]
        return [one.user + one.system for one in times]


async def publish(bus: Bus, events: list[JobDue], size: int) -> None:
    for start in range(0, len(events), size):
        await bus.publish(events[start : start + size])


async def receive(subscription: Subscription, count: int) -> None:
    async for batch in subscription.batches():
        await ack_all(batch)
        count -= len(batch)
        if count <= 0:
            return


async def latencies(ticker: Bus, subscription: Subscription) -> list[float]:
    """Milliseconds from before a single publication until it was received."""
    found = []
    for _ in range(SINGLES):
        begun = time.perf_counter()
        receiving = asyncio.create_task(receive(subscription, 1))
        await ticker.publish([a_due()])
        await receiving
        found.append((time.perf_counter() - begun) * 1000)
    return found


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        nats = NatsServer(Path(directory))
        nats.start()
        try:
            ticker = await Bus.connect(nats.url, service="ticker", seed=nats.seed("ticker"))
            executor = await Bus.connect(nats.url, service="executor", seed=nats.seed("executor"))
            await executor.ensure([JOBS, DEAD_LETTERS], [EXECUTOR])
            await _measure(ticker, executor, Meter(nats.pid or 0), count)
            await ticker.close()
            await executor.close()
        finally:
            nats.stop()


async def _measure(ticker: Bus, executor: Bus, meter: Meter, count: int) -> None:
    events = [a_due() for _ in range(count)]
    await publish(ticker, events[:BATCH], BATCH)
    with meter.measure("encode", count):
        messages = encode_all(events, source="ticker")
    with meter.measure("decode", count):
        for message in messages:
            decode(message.subject, message.payload, {"ce-type": JobDue.TYPE})
    with meter.measure("encode, publish", count - BATCH):
        await publish(ticker, events[BATCH:], BATCH)
    with meter.measure("publish what is known", count):
        await publish(ticker, events, BATCH)
    subscription = await executor.subscribe(EXECUTOR, slots=2 * BATCH)
    with meter.measure("receive, decode, acknowledge", count):
        await receive(subscription, count)
    with meter.measure("one at a time, all of it", SINGLES):
        late = sorted(await latencies(ticker, subscription))
    console = Console(width=110)
    console.print(meter.table)
    console.print(f"one at a time: p50 {statistics.median(late):.2f} ms, p99 {late[-SINGLES // 100]:.2f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.wire")
    parser.add_argument("--messages", type=int, default=20_000)
    run_loop(main(parser.parse_args().messages))
