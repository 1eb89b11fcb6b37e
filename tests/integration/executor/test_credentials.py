"""What tools sign in with: opened for one call, sent where it belongs, and told nowhere."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rota_contracts.credentials import Kind, place_of
from rota_contracts.events import JobCompleted
from rota_vault import Vault
from tests.integration.executor.conftest import Stage
from tests.support.google import CLIENT, REFRESH_TOKEN, Google, google, message, part
from tests.support.servers import CREDENTIAL_KEY
from tests.support.toolkit import a_site

SECRETS = {"client_secret": CLIENT["client_secret"], "refresh_token": REFRESH_TOKEN}


async def a_credential(
    stage: Stage,
    name: str,
    kind: Kind,
    secrets: dict[str, str],
    *,
    key: str = CREDENTIAL_KEY,
    **settings: Any,
) -> None:
    sealed = Vault([key]).seal(place_of(stage.context_id, name), secrets)
    await stage.world.sql(
        "INSERT INTO credentials (context_id, name, kind, settings, sealed)"
        " VALUES (:c, :n, :k, CAST(:s AS jsonb), :b)",
        c=stage.context_id,
        n=name,
        k=kind,
        s=json.dumps(settings),
        b=sealed,
    )


async def everything_told(stage: Stage) -> str:
    """All that the run left in PostgreSQL, as text."""
    tables = ("run_attempts", "tool_effects", "job_notebooks", "tools")
    texts = "SELECT coalesce(string_agg(t::text, ' '), '') FROM {} t"
    return " ".join([await stage.world.value(texts.format(table)) for table in tables])


async def used(stage: Stage, tool: str, **arguments: Any) -> JobCompleted:
    """What became of a job that calls the tool, on the executor that runs."""
    return await stage.completed(await stage.due(tool=tool, arguments=arguments))


UTF8 = [{"name": "Content-Type", "value": "text/plain; charset=utf-8"}]

# ---- Gmail --------------------------------------------------------------------------------------


@pytest.fixture
async def mail(stage: Stage) -> AsyncIterator[Google]:
    await a_credential(stage, "gmail", "google", SECRETS, client_id=CLIENT["client_id"])
    async with google() as speaking:
        speaking.messages = {
            "m1": message(
                "m1",
                "Invoice 7",
                part("text/plain", "Please pay 70 €.\n", headers=UTF8),
                part("text/html", "<p>Please <b>pay</b></p>"),
                part("application/pdf", "x", filename="invoice.pdf"),
            ),
            "m2": message("m2", "Only HTML", part("text/html", "<h1>Hello</h1><script>x</script>there")),
            "m3": message("m3", "Invoice 8", part("text/plain", "Later.")),
        }
        yield speaking


async def asked(stage: Stage, mail: Google, tool: str, **arguments: Any) -> JobCompleted:
    async with stage.executor(**mail.environment):
        return await used(stage, tool, **arguments)


async def test_mail_is_found_and_read(stage: Stage, mail: Google) -> None:
    async with stage.executor(**mail.environment):
        found = await used(stage, "gmail_search", query="invoice", max_results=5)
        read = await used(stage, "gmail_get_message", message_id="m1")
        html = await used(stage, "gmail_get_message", message_id="m2")
        none = await used(stage, "gmail_search", query="nothing")
    date = "Sun, 22 Nov 2026 07:00:00 +0000"
    assert str(found.content).split("\n") == [
        f"m1 | {date} | Ada <ada@example.org> | Invoice 7 | Invoice 7 begins",
        f"m3 | {date} | Ada <ada@example.org> | Invoice 8 | Invoice 8 begins",
    ]
    assert read.content == (
        f"From: Ada <ada@example.org>\nDate: {date}\nSubject: Invoice 7\n"
        "Attached: invoice.pdf\n\nPlease pay 70 €."
    )
    assert str(html.content).endswith("\n\n# Hello\nthere")
    assert none.content == "no message fits"
    # One access token for all of it.
    assert mail.refreshes == 1
    assert mail.asked[0][1] == {"q": ["invoice"], "maxResults": ["5"]}


async def test_a_token_that_is_no_longer_taken_is_asked_for_anew(stage: Stage, mail: Google) -> None:
    async with stage.executor(**mail.environment):
        await used(stage, "gmail_search", query="invoice")
        mail.tokens.clear()
        again = await used(stage, "gmail_search", query="html")
    assert (again.status, mail.refreshes) == ("success", 2)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "does not allow this; the credential needs the scope gmail.readonly (HTTP status 403"),
        (429, "takes no more requests now"),
        (500, "Gmail failed (HTTP status 500: trouble with [redacted]"),
    ],
)
async def test_trouble_at_google_is_told_in_words_and_without_the_token(
    stage: Stage, mail: Google, status: int, words: str
) -> None:
    mail.trouble = [status]
    completed = await asked(stage, mail, "gmail_search", query="invoice")
    assert completed.error_kind == "tool_error"
    assert words in (completed.error_message or "")
    assert "ya29" not in await everything_told(stage)


async def test_a_message_that_is_not_there_is_named_so(stage: Stage, mail: Google) -> None:
    completed = await asked(stage, mail, "gmail_get_message", message_id="m9")
    assert "has no such message (HTTP status 404" in (completed.error_message or "")


async def test_a_revoked_account_says_what_to_do(stage: Stage, mail: Google) -> None:
    mail.revoked = True
    completed = await asked(stage, mail, "gmail_search", query="invoice")
    message = completed.error_message or ""
    assert "no longer accepts the refresh token of the credential 'gmail'" in message
    told = await everything_told(stage)
    assert not any(secret in told for secret in SECRETS.values())


async def test_without_a_credential_the_model_is_told_and_the_run_goes_on(stage: Stage) -> None:
    await stage.an_agent(
        'scripted:plays:[["gmail_search", {"query": "x"}], "{output}"]', tools=[{"tool_name": "gmail_search"}]
    )
    completed = await stage.ran()
    assert completed.status == "success"
    assert "there is no credential 'gmail' in this context" in str(completed.content)
    assert "rota credentials set gmail" in str(completed.content)


# ---- HTTP ---------------------------------------------------------------------------------------

TOKEN = "Bearer s3cret-token+of/ours"


async def echo(request: Request) -> Response:
    """A service that shows what it was sent, in every way that one might."""
    said = request.headers.get("authorization", "nothing")
    raw = said.encode()
    return JSONResponse({"plain": said, "base64": base64.b64encode(raw).decode(), "hex": raw.hex()})


async def test_a_header_goes_to_its_own_hosts_alone_and_is_told_nowhere(stage: Stage) -> None:
    async with a_site(Route("/", echo)) as port, a_site(Route("/", echo)) as other:
        await stage.allow("127.0.0.1")
        await a_credential(
            stage, "api", "http", {"value": TOKEN}, hosts=[f"127.0.0.1:{port}"], header="Authorization"
        )
        async with stage.executor():

            async def got(where: int, **more: Any) -> JobCompleted:
                return await used(
                    stage, "http_get", url=f"http://127.0.0.1:{where}/", credential="api", **more
                )

            sent = await got(port, headers={"authorization": "mine"})
            refused = await got(other)
    assert sent.status == "success"
    assert str(sent.content).count("[redacted]") == 3
    assert f"the credential 'api' is for 127.0.0.1:{port} alone" in (refused.error_message or "")
    told = await everything_told(stage)
    assert not any(part in told for part in (TOKEN, "s3cret", TOKEN.encode().hex()))


async def test_a_header_is_not_sent_in_the_clear(stage: Stage) -> None:
    await a_credential(stage, "api", "http", {"value": TOKEN}, hosts=["example.org"], header="X-Key")
    async with stage.executor():
        completed = await used(stage, "http_get", url="http://example.org/", credential="api")
    assert "is sent over https only" in (completed.error_message or "")


# ---- secrets of third parties -------------------------------------------------------------------


async def test_a_secret_that_a_tool_repeats_reaches_neither_model_nor_record(stage: Stage) -> None:
    await a_credential(stage, "greenhouse", "secret", {"value": "the-greenhouse-key"})
    for run in ("telling", "failing_with_secret"):
        await stage.world.sql("DELETE FROM agent_configurations")
        steps = json.dumps([[run, {}], "The tool says: {output}"])
        await stage.an_agent(f"scripted:plays:{steps}", tools=[{"tool_name": run}])
        completed = await stage.ran()
        assert completed.status == "success"
        assert "[redacted]" in str(completed.content)
    assert "the-greenhouse-key" not in await everything_told(stage)


@pytest.mark.parametrize(
    ("kind", "key", "words"),
    [
        ("http", CREDENTIAL_KEY, "is of kind http, not of kind secret"),
        ("secret", "A" * 43 + "=", "cannot be opened: none of the keys opens it"),
    ],
)
async def test_a_credential_that_cannot_be_used_says_why(
    stage: Stage, kind: Kind, key: str, words: str
) -> None:
    await a_credential(stage, "greenhouse", kind, {"value": "the-greenhouse-key"}, key=key)
    async with stage.executor():
        completed = await used(stage, "telling")
    assert words in (completed.error_message or "")


async def test_a_row_that_was_moved_to_another_context_does_not_open(stage: Stage) -> None:
    await a_credential(stage, "greenhouse", "secret", {"value": "the-greenhouse-key"})
    stage.context_id = await stage.world.a_context()
    stage.job_id = await stage.world.a_job(stage.context_id)
    await stage.world.sql("UPDATE credentials SET context_id = :c", c=stage.context_id)
    async with stage.executor():
        completed = await used(stage, "telling")
    assert "it was sealed for another place" in (completed.error_message or "")


async def test_an_executor_without_a_key_says_so(stage: Stage) -> None:
    await a_credential(stage, "greenhouse", "secret", {"value": "the-greenhouse-key"})
    async with stage.executor(ROTA_CREDENTIAL_KEYS=""):
        completed = await used(stage, "telling")
    assert "ROTA_CREDENTIAL_KEYS" in (completed.error_message or "")
