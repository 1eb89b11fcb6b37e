"""The five services as processes of their own, on the servers of the test session."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2

from rota_cli.local import process
from rota_cli.local.port import free_port
from tests.support import recorded
from tests.support.eventually import eventually
from tests.support.servers import SERVICES
from tests.support.world import World

API_KEY = "rota_a-key-for-tests-0123456789abcdef"
ROOT = Path(__file__).parents[2]

# Shorter than in production, so that what is lost is found within a test.
FAST = {
    "EXECUTOR_LEASE_SECONDS": "3",
    "EXECUTOR_SWEEP_SECONDS": "1",
    "TICKER_RECONCILE_SECONDS": "0.5",
    "TICKER_REDISPATCH_SECONDS": "5",
    "RESULTS_SWEEP_SECONDS": "1",
    "NOTIFIER_SWEEP_SECONDS": "1",
}


class System:
    """Processes by name: `ticker`, and `ticker-2` for the second of a kind."""

    def __init__(
        self, world: World, logs: Path, settings: Mapping[str, str], pace: Mapping[str, str] = FAST
    ) -> None:
        self.world = world
        self.ports = {service: free_port() for service in SERVICES}
        self._logs = logs
        self._settings = {
            "EXECUTOR_PLUGINS": "tests.support.scripted,tests.support.recorded",
            recorded.FILE: str(logs / "executions.jsonl"),
            **pace,
            **settings,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        # When a process was gone that was killed, by its id.
        self.deaths: dict[int, float] = {}
        self.api = httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self.ports['gateway']}",
            headers={"Authorization": f"Bearer {API_KEY}"},
            timeout=20,
        )

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls,
        world: World,
        logs: Path,
        *,
        also: tuple[str, ...] = (),
        pace: Mapping[str, str] = FAST,
        **settings: str,
    ) -> AsyncIterator["System"]:
        """The whole path, ready; `also` names further processes such as `ticker-2`."""
        system = cls(world, logs, settings, pace)
        try:
            await system.bootstrap()
            for name in (*SERVICES, *also):
                system.start(name)
            await system.wait_ready()
            yield system
        finally:
            await system.api.aclose()
            system.stop_all()

    def environment(self, service: str) -> dict[str, str]:
        urls = ",".join(
            f"{name}=http://127.0.0.1:{port}" for name, port in self.ports.items() if name != "gateway"
        )
        return {
            **os.environ,
            **self.world.environment(service),
            **self._settings,
            "ROTA_HTTP_PORT": str(self.ports[service]),
            "GATEWAY_SERVICE_URLS": urls,
            "GATEWAY_BOOTSTRAP_API_KEY": API_KEY,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    async def bootstrap(self) -> None:
        seeding = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rota_gateway",
            "bootstrap",
            env=self.environment("gateway"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await seeding.communicate()
        assert seeding.returncode == 0, output.decode()

    def start(self, name: str) -> None:
        service = name.partition("-")[0]
        environment = self.environment(service)
        if name != service:  # a second of its kind has a health port of its own
            environment["ROTA_HTTP_PORT"] = "0"
        with self.log(name).open("ab") as log:
            self.processes[name] = process.spawn(
                [sys.executable, "-m", f"rota_{service}"], env=environment, cwd=ROOT, stdout=log.fileno()
            )

    def signal(self, name: str, number: signal.Signals) -> None:
        self.processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        """As a crash would end it."""
        child = self.processes[name]
        child.kill()
        child.wait()
        self.deaths[child.pid] = time.monotonic()

    async def heal(self) -> None:
        """Starts again what does not run, and wakes what is frozen."""
        for name, child in list(self.processes.items()):
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
            else:
                self.start(name)
        await self.wait_ready()

    async def terminate(self, name: str, *, seconds: float = 60) -> int:
        """As an orchestrator ends it; the exit code."""
        self.processes[name].terminate()
        return await asyncio.to_thread(self.processes[name].wait, seconds)

    def stop_all(self) -> None:
        for child in self.processes.values():
            child.kill()
        for child in self.processes.values():
            child.wait()

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def executions(self) -> list[recorded.Execution]:
        """What the tools of tests.support.recorded were called for."""
        return recorded.executions(Path(self._settings[recorded.FILE]), self.deaths)

    def said(self, action: str, **facts: Any) -> list[dict[str, Any]]:
        """The lines of all logs with that action and those facts."""
        lines = [
            json.loads(line)
            for log in sorted(self._logs.glob("*.log"))
            for line in log.read_text().splitlines()
            if line.startswith("{") and line.endswith("}")
        ]
        wanted = {"action": action, **facts}
        return [line for line in lines if all(line.get(name) == fact for name, fact in wanted.items())]

    async def wait_ready(self) -> None:
        """Until the gateway says that the whole path is ready."""

        async def ready() -> bool:
            for name, child in self.processes.items():
                assert child.poll() is None, f"{name} ended:\n{self.log(name).read_text()[-4000:]}"
            with contextlib.suppress(httpx2.HTTPError):
                return (await self.api.get("/readyz")).status_code == 200
            return False

        await eventually(ready, seconds=60, what="/readyz")

    # ---- what a person does -------------------------------------------------------------------

    async def post(self, path: str, body: Any = None, *, status: int = 201) -> Any:
        answer = await self.api.post(f"/api/v1{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str) -> Any:
        answer = await self.api.get(f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def a_context(self, name: str = "Team") -> str:
        return str((await self.post("/contexts", {"name": name}))["id"])

    async def a_job(self, context_id: str, **fields: Any) -> dict[str, Any]:
        body = {
            "name": "Check",
            "cron_expression": "0 0 1 1 *",
            "skill_prompt": "Look.",
            "agent_name": "noop",
        }
        job: dict[str, Any] = await self.post(f"/contexts/{context_id}/jobs", body | fields)
        return job

    async def a_result(self, run_id: str, *, seconds: float = 30) -> dict[str, Any]:
        """The run, as soon as its result is stored."""

        async def stored() -> dict[str, Any] | None:
            run: dict[str, Any] = await self.get(f"/runs/{run_id}")
            return run if run["status"] else None

        return await eventually(stored, seconds=seconds, what=f"the result of {run_id}") or {}

    # ---- jobs in numbers ----------------------------------------------------------------------

    async def many_jobs(
        self,
        count: int,
        *,
        model: str = "scripted:noop",
        prompt: str = "Look.",
        tool: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        retries: int = 0,
        backoff_seconds: int = 30,
        at_once: int = 1000,
    ) -> UUID:
        """A context of jobs that are due far in the future, planned; its id."""
        context = await self.world.a_context(max_concurrent_runs=at_once)
        await self.world.an_agent(name="worker", model=model, context_id=context)
        await self.world.sql(
            "INSERT INTO scheduled_jobs"
            " (context_id, name, cron_expression, agent_name, skill_prompt, tool, arguments, max_retries,"
            " retry_backoff_seconds)"
            " SELECT :c, 'job ' || n, '0 0 1 1 *', 'worker', :p, :t, CAST(:a AS jsonb), :r, :b"
            " FROM generate_series(1, :n) n",
            c=context,
            n=count,
            p=prompt,
            t=tool,
            a=json.dumps(arguments or {}),
            r=retries,
            b=backoff_seconds,
        )

        async def planned() -> bool:
            return bool(
                await self.world.value(
                    "SELECT count(*) = :n FROM job_timers WHERE context_id = :c",
                    n=count,
                    c=context,
                )
            )

        await eventually(planned, what="the plan")
        return context

    async def make_due(self, *contexts: UUID) -> None:
        """Sets the timers of contexts to now, as if the instant of all their jobs had come."""
        await self.world.sql(
            "UPDATE job_timers SET accounted_until = n.instant - interval '1 s', next_run_at = n.instant,"
            " wake_at = n.instant"
            " FROM (SELECT date_trunc('milliseconds', clock_timestamp()) AS instant) n"
            " WHERE context_id = ANY (CAST(:c AS uuid[]))",
            c=list(contexts),
        )

    async def under_way(self, context: UUID, at_least: int = 1) -> None:
        """Waits until so many runs of the context are in the hands of executors."""

        async def begun() -> bool:
            count = await self.world.value(
                "SELECT count(*) FROM run_attempts WHERE state = 'running' AND context_id = :c", c=context
            )
            return bool(count >= at_least)

        await eventually(begun, seconds=60, what=f"{at_least} running")

    async def all_accounted_for(self, context: UUID, runs: int, *, seconds: float = 90) -> None:
        """Waits until every run is closed and stored, then checks that each happened once (I1, I2)."""

        async def closed() -> bool:
            row = (
                await self.world.sql(
                    "SELECT (SELECT count(*) FROM occurrences WHERE context_id = :c AND state = 'closed'),"
                    " (SELECT count(*) FROM agent_execution_results WHERE context_id = :c),"
                    " (SELECT count(*) FROM notifications WHERE context_id = :c)",
                    c=context,
                )
            )[0]
            return all(count >= runs for count in row)

        await eventually(closed, seconds=seconds, what=f"{runs} runs to be accounted for")
        [row] = await self.world.sql(
            """
            SELECT (SELECT count(*) FROM occurrences WHERE context_id = :c) AS occurrences,
                   (SELECT count(*) FROM occurrences WHERE context_id = :c AND disposition = 'ran') AS ran,
                   (SELECT count(*) FROM agent_execution_results WHERE context_id = :c) AS results,
                   (SELECT coalesce(sum(run_count), 0) FROM job_statistics s
                    JOIN scheduled_jobs j ON j.id = s.job_id WHERE j.context_id = :c) AS counted,
                   (SELECT count(*) FROM notifications WHERE context_id = :c) AS notifications,
                   (SELECT count(*) FROM run_attempts WHERE context_id = :c AND state <> 'ended'
                      AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.run_id = run_attempts.run_id
                                      AND o.attempt > run_attempts.attempt)) AS open
            """,
            c=context,
        )
        assert tuple(row) == (runs, runs, runs, runs, runs, 0), row
