"""Tools of MCP servers: found, put behind the same wrapper as all others, called where they are."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rota_chassis.health import serving
from rota_contracts.mcp import tool_name
from rota_executor.settings import ExecutorSettings
from tests.integration.executor.conftest import Stage
from tests.integration.executor.process import process
from tests.integration.executor.test_credentials import a_credential
from tests.support.eventually import eventually
from tests.support.greenhouse import COMMAND, Greenhouse

TEMPERATURE, WATER = "greenhouse__temperature", "greenhouse__water"

# A program that says where it runs when it is called, and answers nobody.
SLOW = """
import os, pathlib, sys, time
from mcp.server.mcpserver import MCPServer

server = MCPServer("slow")

@server.tool()
def temperature(bed: int) -> str:
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(600)
    return ""

server.run("stdio")
"""


# Another one, with a process of its own; neither minds the end of its input, nor that it is asked to end.
STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
from mcp.server.mcpserver import MCPServer

signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = MCPServer("stubborn")

@server.tool()
def temperature(bed: int) -> str:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    for pid in (os.getpid(), child.pid):
        pathlib.Path(sys.argv[1], str(pid)).touch()
    time.sleep(600)
    return ""

server.run("stdio")
"""


def playing(tool: str) -> str:
    """A model that calls the tool for a bed, and answers with what it says."""
    return f"scripted:plays:{json.dumps([[tool, {'bed': 3}], '{output}'])}"


async def a_server(stage: Stage, url: str | None = None, **columns: Any) -> UUID:
    values = {
        "context_id": stage.context_id,
        "name": "greenhouse",
        "transport": "http",
        "url": url,
        **columns,
    }
    names = ", ".join(values)
    found: UUID = await stage.world.value(
        f"INSERT INTO mcp_servers ({names}) VALUES ({', '.join(f':{name}' for name in values)}) RETURNING id",
        **values,
    )
    await stage.allow("127.0.0.1")
    return found


async def looked_into(stage: Stage) -> Any:
    """The discovery, once there is one."""

    async def found() -> Any:
        rows = await stage.world.sql(
            "SELECT d.error, s.id FROM mcp_discoveries d JOIN mcp_servers s ON s.id = d.server_id "
            "WHERE d.generation = s.generation"
        )
        return rows[0] if rows else None

    return await eventually(found, what="an executor that looked")


async def tools(stage: Stage) -> dict[str, tuple[str, str]]:
    rows = await stage.world.sql("SELECT name, tool, effect FROM mcp_tools ORDER BY name")
    return {row.name: (row.tool, row.effect) for row in rows}


def started(folder: Path) -> list[str]:
    """The processes that wrote their ids down there."""
    return [file.name for file in folder.iterdir()]


def alive(folder: Path) -> list[str]:
    """Those of them that run; one that nobody has taken leave of yet does not."""

    def runs(pid: str) -> bool:
        try:
            return psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return [pid for pid in started(folder) if runs(pid)]


async def test_the_tools_of_a_server_are_found_and_called_and_what_may_write_asks(stage: Stage) -> None:
    greenhouse = Greenhouse()
    async with greenhouse.open() as url, stage.executor():
        await a_server(stage, url)
        assert (await looked_into(stage)).error is None
        assert await tools(stage) == {TEMPERATURE: ("temperature", "read"), WATER: ("water", "write")}
        await stage.an_agent(
            playing(TEMPERATURE),
            tools=[{"tool_name": TEMPERATURE}, {"tool_name": WATER}],
        )
        read = await stage.completed(await stage.due())
        await stage.world.sql(
            "UPDATE agent_configurations SET model = :model",
            model=playing(WATER),
        )
        asked = await stage.completed(await stage.due())
        assert greenhouse.watered == []
        await stage.world.sql("UPDATE agent_tools SET policy = 'auto'")
        event = await stage.due()
        written = await stage.completed(event)
    assert (read.content, read.usage.tool_calls, read.warnings) == ("bed 3 has 21 degrees", 1, [])
    assert (asked.status, [one.tool_name for one in asked.pending_actions]) == ("partial", [WATER])
    assert (written.content, greenhouse.watered) == ("bed 3 is wet", [3])
    effects = await stage.world.sql(
        "SELECT tool_name, state FROM tool_effects WHERE run_id = :r", r=event.run_id
    )
    assert [tuple(one) for one in effects] == [(WATER, "done")]


async def test_a_job_calls_a_tool_of_a_server_without_a_model(stage: Stage) -> None:
    async with Greenhouse().open() as url, stage.executor():
        await a_server(stage, url)
        await looked_into(stage)
        well = await stage.completed(await stage.due(tool=TEMPERATURE, arguments={"bed": 2}))
        badly = await stage.completed(await stage.due(tool=TEMPERATURE, arguments={"bed": 10}))
        wrong = await stage.completed(await stage.due(tool=TEMPERATURE, arguments={"bed": "two"}))
    assert (well.status, well.content) == ("success", "bed 2 has 21 degrees")
    assert (badly.error_kind, "there is no bed 10" in str(badly.error_message)) == ("tool_error", True)
    assert wrong.error_kind == "invalid_configuration"


async def test_a_server_that_is_away_blocks_its_runs_and_says_so(stage: Stage) -> None:
    greenhouse = Greenhouse()
    async with stage.executor():
        async with greenhouse.open() as url:
            await a_server(stage, url)
            await looked_into(stage)
        await stage.an_agent(playing(TEMPERATURE), tools=[{"tool_name": TEMPERATURE}])
        completed = await stage.completed(await stage.due())
    assert (completed.error_kind, completed.error_cause) == ("blocked", "MCP server greenhouse")
    assert "The MCP server 'greenhouse' cannot be reached" in str(completed.error_message)
    assert completed.usage.requests == 0


async def test_what_the_context_does_not_allow_is_not_offered_and_what_it_knows_better_holds(
    stage: Stage,
) -> None:
    async with Greenhouse().open() as url, stage.executor():
        await a_server(stage, url, allowed_tools=["temperature"])
        await stage.world.sql('UPDATE mcp_servers SET effects = \'{"temperature": "write"}\'')
        await looked_into(stage)
        await stage.world.sql("UPDATE mcp_servers SET generation = generation + 1")
        await looked_into(stage)
        assert await tools(stage) == {TEMPERATURE: ("temperature", "write")}
        await stage.an_agent(playing(TEMPERATURE), tools=[{"tool_name": TEMPERATURE}])
        completed = await stage.completed(await stage.due())
    assert completed.status == "partial"


async def test_a_server_is_signed_in_to_with_a_credential_that_is_told_nowhere(stage: Stage) -> None:
    greenhouse = Greenhouse()
    async with greenhouse.open() as url, stage.executor():
        await a_credential(
            stage,
            "door",
            "http",
            {"value": "Bearer open-sesame-1"},
            hosts=["127.0.0.1"],
            header="Authorization",
        )
        await a_server(stage, url, credential="door")
        assert (await looked_into(stage)).error is None
        assert greenhouse.headers["authorization"] == "Bearer open-sesame-1"
        await stage.world.sql("UPDATE mcp_servers SET credential = 'window', generation = generation + 1")
        error = (await looked_into(stage)).error
    assert error.startswith("there is no credential 'window' in this context")


async def test_a_server_at_no_public_address_is_reached_only_where_the_context_allows_it(
    stage: Stage,
) -> None:
    greenhouse = Greenhouse()
    async with greenhouse.open() as url, stage.executor():
        await a_server(stage, url)
        await stage.allow("elsewhere.test")
        await stage.world.sql("UPDATE mcp_servers SET generation = generation + 1")
        error = (await looked_into(stage)).error
    assert "is at no public address" in error


async def test_a_program_that_the_operator_lists_is_started_for_a_run(stage: Stage) -> None:
    commands = json.dumps({"garden": COMMAND})
    async with stage.executor(EXECUTOR_MCP_COMMANDS=commands):
        await a_server(stage, transport="stdio", command="garden")
        assert (await looked_into(stage)).error is None
        completed = await stage.completed(await stage.due(tool=TEMPERATURE, arguments={"bed": 2}))
        await stage.world.sql("UPDATE mcp_servers SET command = 'rm', generation = generation + 1")
        error = (await looked_into(stage)).error
    assert completed.content == "bed 2 has 21 degrees"
    assert "lists no command 'rm'" in error


async def test_what_cannot_be_kept_of_a_server_does_not_keep_its_tools_from_being_found(stage: Stage) -> None:
    greenhouse = Greenhouse()
    greenhouse.server.tool(name="pour\0", description="Pours\0 as much as you like.")(lambda: "wet")
    async with greenhouse.open() as url, stage.executor():
        await a_server(stage, url)
        assert (await looked_into(stage)).error is None
        found = await tools(stage)
    assert sorted(name for name, _ in found.values()) == [
        "pour\N{REPLACEMENT CHARACTER}",
        "temperature",
        "water",
    ]


async def test_a_tool_that_says_too_much_of_itself_is_left_out_and_named(stage: Stage) -> None:
    greenhouse = Greenhouse()
    greenhouse.server.tool(name="novel", description="x" * 70_000)(lambda: "")
    # A letter of two bytes: what counts is what is kept and sent.
    greenhouse.server.tool(name="letters", description="\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 40_000)(
        lambda: ""
    )
    greenhouse.server.tool(name="long", description="x" * 60_000)(lambda: "")
    async with greenhouse.open() as url, stage.executor():
        await a_server(stage, url)
        error = (await looked_into(stage)).error
        assert sorted(name for name, _ in (await tools(stage)).values()) == ["long", "temperature", "water"]
        completed = await stage.completed(await stage.due(tool=TEMPERATURE, arguments={"bed": 2}))
        await stage.world.sql(
            "UPDATE mcp_servers SET allowed_tools = '{temperature}', generation = generation + 1"
        )
        assert (await looked_into(stage)).error is None
    assert completed.content == "bed 2 has 21 degrees"
    assert error.startswith(
        "left out, because their names, descriptions and schemas are larger than 65,536 bytes:"
    )
    assert "'novel' (70," in error
    assert "'letters' (80," in error
    assert "'long'" not in error


async def test_of_a_server_with_too_many_tools_the_first_are_had(stage: Stage) -> None:
    greenhouse = Greenhouse()
    for number in range(499):
        greenhouse.server.tool(name=f"more-{number}", description="One more.")(lambda: "")
    async with greenhouse.open() as url, stage.executor():
        await a_server(stage, url)
        error = (await looked_into(stage)).error
        assert len(await tools(stage)) == 500
        completed = await stage.completed(await stage.due(tool=TEMPERATURE, arguments={"bed": 2}))
    assert error == "it has more than 500 tools: those after 'more-497' are left out"
    assert completed.content == "bed 2 has 21 degrees"


async def test_a_program_is_ended_however_often_its_run_is_stopped(stage: Stage, tmp_path: Path) -> None:
    """Stopped by a person while the timeout has it leave already, say."""
    commands = json.dumps({"slow": [sys.executable, "-c", SLOW, str(tmp_path)]})

    async def is_busy() -> bool:
        return bool(started(tmp_path))

    async def is_gone() -> bool:
        return not alive(tmp_path)

    async with stage.executor(EXECUTOR_MCP_COMMANDS=commands):
        await a_server(stage, transport="stdio", command="slow")
        assert (await looked_into(stage)).error is None
        event = await stage.due(tool=TEMPERATURE, arguments={"bed": 3})
        await eventually(is_busy, what="a call of the tool")
        (run,) = [task for task in asyncio.all_tasks() if task.get_name() == f"run-{event.run_id}"]
        run.cancel()
        await asyncio.wait([run], timeout=0.2)
        run.cancel()
        await eventually(is_gone, seconds=15, what="the end of the program")


async def test_a_program_that_minds_nothing_is_gone_when_its_executor_was_killed(
    stage: Stage, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    commands = json.dumps({"stubborn": [sys.executable, "-c", STUBBORN, str(pids)]})

    async def is_busy() -> bool:
        return len(started(pids)) == 2

    async def is_gone() -> bool:
        return not alive(pids)

    try:
        async with process(stage, tmp_path / "log", EXECUTOR_MCP_COMMANDS=commands) as running:
            await a_server(stage, transport="stdio", command="stubborn")
            assert (await looked_into(stage)).error is None
            await stage.due(tool=TEMPERATURE, arguments={"bed": 3}, timeout_seconds=300)
            await eventually(is_busy, what="a call of the tool")
            assert len(alive(pids)) == 2
            running.kill()
            running.wait()
            await eventually(is_gone, seconds=15, what="the end of the program and its child")
    finally:
        for pid in alive(pids):
            os.kill(int(pid), signal.SIGKILL)


async def test_a_command_that_is_no_program_is_named(stage: Stage) -> None:
    async with stage.executor(EXECUTOR_MCP_COMMANDS='{"garden": ["no-such-program", "--deep"]}'):
        await a_server(stage, transport="stdio", command="garden")
        error = (await looked_into(stage)).error
    assert error == "the operator's command 'garden' is no program: 'no-such-program'"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, "more than 10,000,000 bytes"),
        ({"content-encoding": "gzip"}, "an encoding that it was not asked for"),
    ],
)
async def test_a_server_that_answers_too_much_does_not_fill_the_memory(
    stage: Stage, headers: dict[str, str], told: str
) -> None:
    async def answer(_request: Request) -> Response:
        return Response(b" " * 11_000_000, media_type="application/json", headers=headers)

    app = Starlette(routes=[Route("/mcp", answer, methods=["POST"])])
    async with serving(app, "127.0.0.1", 0) as port, stage.executor():
        await a_server(stage, f"http://127.0.0.1:{port}/mcp")
        assert told in (await looked_into(stage)).error


def test_names_are_those_that_models_take() -> None:
    assert tool_name("git", "search_code") == "git__search_code"
    odd, long = tool_name("git", "search code"), tool_name("git", "s" * 100)
    assert odd.startswith("git__search_code_")
    assert odd != tool_name("git", "search.code")
    assert len(long) == 64
    assert long != tool_name("git", "s" * 101)


@pytest.mark.parametrize("commands", ["rm", '{"a": "rm"}'])
def test_commands_that_cannot_be_read_stop_the_executor_at_its_start(stage: Stage, commands: str) -> None:
    with pytest.raises(ValueError, match="EXECUTOR_MCP_COMMANDS"):
        ExecutorSettings.model_validate(stage.environment(EXECUTOR_MCP_COMMANDS=commands))
