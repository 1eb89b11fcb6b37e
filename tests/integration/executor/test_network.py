"""Tools on the web, in runs: what their context allows, and what it does not."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.integration.executor.conftest import Stage
from tests.support.toolkit import a_site


async def test_a_private_host_is_reached_only_where_the_context_allows_it(stage: Stage) -> None:
    async def home(request: Request) -> Response:
        return PlainTextResponse("The printer is out of paper.")

    async with a_site(Route("/", home)) as port, stage.executor():
        address = {"url": f"http://127.0.0.1:{port}/"}
        refused = await stage.completed(await stage.due(tool="http_get", arguments=address))
        await stage.world.sql(
            "UPDATE contexts SET allowed_hosts = :hosts WHERE id = :id",
            hosts=[f"127.0.0.1:{port}"],
            id=stage.context_id,
        )
        allowed = await stage.completed(await stage.due(tool="http_get", arguments=address))
    assert refused.error_kind == "tool_error"
    assert refused.error_message == (
        "The tool 'http_get' failed: the host '127.0.0.1' is at no public address; "
        "an administrator may allow it in allowed_hosts of the context."
    )
    assert (allowed.status, "out of paper" in str(allowed.content)) == ("success", True)


async def test_a_model_is_told_what_a_tool_may_not_do_and_the_run_goes_on(stage: Stage) -> None:
    await stage.an_agent("scripted:calls:http_get", tools=[{"tool_name": "http_get"}])
    completed = await stage.ran()
    assert completed.status == "success"
    assert completed.content == (
        "The tool 'http_get' failed: its arguments are wrong: 'url' is a required property"
    )
