"""A person's first minutes with `rota up`: the real command, the embedded model, the demo."""

import html
import re
import stat
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import psutil

from rota_cli.local.postgres import PostgresServer
from rota_cli.local.process import still_alive
from tests.support.eventually import eventually
from tests.support.servers import SERVICES
from tests.support.up import RotaUp

DEMO_JOB = "Watch this machine"
FIRST_RESULT = timedelta(minutes=2)


async def demo_runs(up: RotaUp) -> list[dict[str, Any]]:
    """The results of the demo's job, the oldest first."""
    runs: list[dict[str, Any]] = (await up.rota("runs", "list", "--job", DEMO_JOB, "--limit", "200"))["items"]
    return sorted(runs, key=lambda run: str(run["completed_at"]))


async def first_result(up: RotaUp) -> dict[str, Any]:
    async def runs() -> list[dict[str, Any]]:
        return await demo_runs(up)

    found = await eventually(runs, seconds=FIRST_RESULT.total_seconds(), what="the demo's first result")
    return found[0]


async def get(up: RotaUp, path: str) -> Any:
    headers = {"Authorization": f"Bearer {up.api_key}"}
    async with httpx2.AsyncClient(base_url=f"{up.url}/api/v1", headers=headers) as client:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


async def test_it_says_where_the_page_and_the_key_are(up: RotaUp) -> None:
    """The address answers, the key opens the API, only its owner can read it, and no log shows it."""
    assert f"Rota runs at   {up.url}\n" in up.output
    assert f"API key        in {up.data_dir / 'api-key'}\n" in up.output
    assert await up.ready()
    assert [context["name"] for context in (await get(up, "/contexts"))["items"]][:1] == ["Demo"]
    assert stat.S_IMODE((up.data_dir / "api-key").stat().st_mode) == 0o600
    logs = "".join(file.read_text() for file in (up.data_dir / "logs").iterdir())
    assert up.api_key not in up.output + logs


async def test_the_printed_link_signs_a_browser_in_once(up: RotaUp) -> None:
    link = (await up.said(r"sign in +(http\S+)", seconds=1))[1]
    async with up.browser() as browser:
        assert (await browser.get("/")).url.path == "/sign-in"
        form = (await browser.get(link)).text
        token = re.findall(r'name="token" value="([^"]+)"', form)[0]
        page = await browser.post("/sign-in", data={"token": token})
        assert (page.status_code, page.url.path) == (200, "/")
        assert (await browser.get("/")).url.path == "/"
    async with up.browser() as thief:
        refused = await thief.post("/sign-in", data={"token": token})
        assert refused.status_code == 403
        assert "used already" in refused.text
        assert (await thief.get("/")).url.path == "/sign-in"


async def test_the_first_result_is_there_within_two_minutes(up: RotaUp) -> None:
    """On the command line, on the page, in the bell, and in what `rota up` itself says."""
    run = await first_result(up)
    assert (run["status"], run["agent_name"], run["trigger"]) == ("success", "watchman", "schedule")
    assert up.first_started
    assert datetime.fromisoformat(run["completed_at"]) - up.first_started < FIRST_RESULT
    await up.said(r"(first|latest) result: .+ by watchman, success", seconds=15)

    latest = (await demo_runs(up))[-1]
    async with up.browser() as browser:
        page = (await browser.post("/sign-in", data={"api_key": up.api_key})).text
    assert DEMO_JOB in page
    assert html.escape(latest["result_content"].splitlines()[0]) in page

    async def told() -> list[dict[str, Any]]:
        bell = (await up.rota("notifications", "list", "--limit", "200"))["items"]
        return [item for item in bell if item["run_id"] == run["run_id"]]

    [notification] = await eventually(told, what="its notification")
    assert notification["title"] == f"{DEMO_JOB} completed successfully"


async def test_the_model_writes_one_line_per_fact_and_no_number_of_its_own(up: RotaUp) -> None:
    """What the tools can have said is computed anew, from this machine."""
    run = await first_result(up)
    lines = {line.removeprefix("! ") for line in run["result_content"].splitlines()}
    assert len(lines) == 3 + len(SERVICES)

    def line(word: str) -> str:
        [found] = [str(line) for line in lines if word in line.lower()]
        return found

    [disk] = numbers(line("disk /"))
    assert abs(disk - psutil.disk_usage("/").percent) <= 5
    [memory] = numbers(line("memory"))
    assert 0 < memory <= 100
    _, cores = numbers(line("load"))
    assert cores == psutil.cpu_count()
    for service in SERVICES:
        assert re.search(rf"\bservice {service}\b.*\bready\b", line(service))
        assert numbers(line(service)) == []

    # The words are the model's: the facts themselves stand only where it failed.
    messages = (await get(up, f"/conversations/{run['session_id']}"))["messages"]
    facts = {message["content"] for message in messages if message["role"] == "user"}
    assert len(facts & {f"service {service} is ready" for service in SERVICES}) == len(SERVICES)
    assert len(lines - facts) > len(lines) / 2
    assert run["metadata"]["model"] == "local:smollm2"
    assert run["usage"]["requests"] >= len(lines)


async def test_every_service_is_a_process_with_a_database_role_of_its_own(up: RotaUp) -> None:
    """PostgreSQL names the role and the client's port; the kernel says whose port that is."""
    expected = {(f"rota_{name}", f"rota-{name}", child.pid) for name, child in up.services().items()}
    assert len({pid for _, _, pid in expected}) == len(SERVICES)

    async def known() -> bool:
        ports = {
            connection.laddr.port: process.pid
            for process in up.services().values()
            for connection in process.net_connections("tcp")
        }
        rows = await sessions(up)
        return expected == {
            (row["usename"], row["application_name"], ports.get(row["client_port"])) for row in rows
        }

    await eventually(known, what="a session of every service, and no other,")


async def sessions(up: RotaUp) -> list[asyncpg.Record]:
    """Who is connected to Rota's database, but for us."""
    password = PostgresServer(up.data_dir / "postgres").password
    port = int((up.data_dir / "postgres/port").read_text())
    admin = await asyncpg.connect(
        host="127.0.0.1", port=port, user="postgres", password=password, database="rota", ssl=False
    )
    try:
        return await admin.fetch(
            "SELECT usename, application_name, client_port FROM pg_stat_activity"
            " WHERE datname = 'rota' AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    finally:
        await admin.close()


async def test_killed_services_are_started_again_and_the_next_run_succeeds(up: RotaUp) -> None:
    # A job of its own: a run of the demo's may be among what the crash interrupts.
    job = ["--name", "After the crash", "--cron", "0 0 1 1 *", "--agent", "watchman", "--prompt", "And now?"]
    await up.rota("jobs", "create", "--context", "Demo", *job)
    before = up.services()
    for process in before.values():
        process.kill()

    async def replaced() -> bool:
        pids = {process.pid for process in up.services().values()}
        return len(pids) == len(SERVICES) and not pids & {process.pid for process in before.values()}

    await eventually(replaced, seconds=30, what="five new processes")
    await eventually(up.ready, seconds=60, what="/readyz")
    run = await up.rota("jobs", "run", "After the crash", "--wait")
    assert (run["status"], run["trigger"]) == ("success", "manual"), run


async def test_the_next_start_finds_everything_again(up: RotaUp) -> None:
    await first_result(up)
    key, runs = up.api_key, {run["run_id"] for run in await demo_runs(up)}
    assert await up.interrupt() == 0
    await up.start()
    assert await up.ready()
    assert up.api_key == key
    assert runs <= {run["run_id"] for run in await demo_runs(up)}
    [job] = [job for job in (await up.rota("jobs", "list"))["items"] if job["name"] == DEMO_JOB]
    assert job["run_count"] >= len(runs)
    await up.said(r"latest result: .+ by watchman", seconds=15)


async def test_ctrl_c_stops_everything_and_leaves_no_process_behind(up: RotaUp) -> None:
    """NATS, PostgreSQL, the model and the services with all their children; the last word is `stopped`."""
    processes = up.processes()
    assert len(processes) > len(SERVICES) + len(("rota up", "NATS", "PostgreSQL", "model"))
    assert await up.interrupt() == 0
    assert still_alive(processes, seconds=0) == []
    assert up.strays() == []
    assert up.output.splitlines()[-1].split() == ["rota", "│", "stopped"]
