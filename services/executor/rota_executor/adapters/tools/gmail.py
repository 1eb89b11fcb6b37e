"""Reading mail: the Gmail API over REST, signed in by a credential of the context."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.gmail_message import line, text
from rota_executor.adapters.google import GoogleTokens
from rota_executor.adapters.registry import Registry, ToolFunction
from rota_executor.calls import Credential, ToolCall

TIMEOUT_SECONDS = 30.0
ACCOUNT = "gmail"
AT_ONCE = 5
MAX_ERROR = 200
CREDENTIAL = {
    "type": "string",
    "maxLength": 64,
    "description": f"the name of the credential of the account; default {ACCOUNT}",
}


def _description(name: str, description: str, required: str, **properties: Any) -> ToolDescription:
    return ToolDescription(
        name=name,
        description=description,
        effect="read",
        idempotent=True,
        open_world=True,
        timeout_seconds=TIMEOUT_SECONDS,
        parameters={
            "type": "object",
            "properties": {**properties, "account": CREDENTIAL},
            "required": [required],
            "additionalProperties": False,
        },
    )


SEARCH = _description(
    "gmail_search",
    "Finds messages in Gmail: a line for each with its id, date, sender, subject and beginning.",
    "query",
    query={"type": "string", "maxLength": 1000, "description": "as in Gmail, e.g. is:unread newer_than:1d"},
    max_results={"type": "integer", "minimum": 1, "maximum": 50, "description": "default 10"},
)
GET = _description(
    "gmail_get_message",
    "Reads one message in Gmail: its headers and its text.",
    "message_id",
    message_id={"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "description": "as gmail_search says"},
)


def register(registry: Registry, gmail: "Gmail") -> None:
    registry.add_tool(SEARCH, searching(gmail))
    registry.add_tool(GET, getting(gmail))


class Gmail:
    """Where the API is, and who has signed in."""

    def __init__(self, url: str, tokens: GoogleTokens) -> None:
        self._url = url.rstrip("/")
        self._tokens = tokens

    async def get(
        self, client: httpx2.AsyncClient, path: str, credential: Credential, call: ToolCall, **query: Any
    ) -> dict[str, Any]:
        """What the API says; signs in once more where it does not take the token."""
        address = f"{self._url}/gmail/v1/users/me/{path}"
        for _ in range(2):
            token = await self._tokens.token(credential, call)
            headers = {"Authorization": f"Bearer {token}"}
            try:
                response = await client.get(address, params=query, headers=headers)
            except httpx2.TransportError as error:
                raise ConnectionError(f"Gmail cannot be reached: {type(error).__name__}") from error
            if response.status_code != httpx2.codes.UNAUTHORIZED:
                break
            self._tokens.forget(credential)
        return _answered(response)


def searching(gmail: Gmail) -> ToolFunction:
    async def search(arguments: Mapping[str, Any], call: ToolCall) -> str:
        credential = await call.credential(arguments.get("account", ACCOUNT), "google")
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            query = {"q": arguments["query"], "maxResults": arguments.get("max_results", 10)}
            found = await gmail.get(client, "messages", credential, call, **query)
            room = asyncio.Semaphore(AT_ONCE)

            async def told(message: Mapping[str, Any]) -> str:
                async with room:
                    wanted = {"format": "metadata", "metadataHeaders": ["Date", "From", "Subject"]}
                    return line(
                        await gmail.get(client, f"messages/{message['id']}", credential, call, **wanted)
                    )

            try:
                async with asyncio.TaskGroup() as group:
                    lines = [group.create_task(told(one)) for one in found.get("messages") or []]
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
        return "\n".join(one.result() for one in lines) or "no message fits"

    return search


def getting(gmail: Gmail) -> ToolFunction:
    async def get(arguments: Mapping[str, Any], call: ToolCall) -> str:
        credential = await call.credential(arguments.get("account", ACCOUNT), "google")
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            path = f"messages/{arguments['message_id']}"
            message = await gmail.get(client, path, credential, call, format="full")
        return await asyncio.to_thread(text, message)

    return get


def _answered(response: httpx2.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    if response.is_success and isinstance(answer, dict):
        return answer
    error = answer.get("error") if isinstance(answer, dict) else None
    said = error.get("message", "") if isinstance(error, dict) else ""
    status = response.status_code
    match status:
        case 401:
            what = "does not take the access token; set the credential anew"
        case 403:
            what = "does not allow this; the credential needs the scope gmail.readonly"
        case 404:
            what = "has no such message"
        case 429:
            what = "takes no more requests now; try again later"
        case _:
            what = "failed"
    raise ValueError(f"Gmail {what} (HTTP status {status}{f': {said[:MAX_ERROR]}' if said else ''})")
