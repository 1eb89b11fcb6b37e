"""Requests over HTTP: to public addresses, and to those hosts that the context allows."""

import json
from collections.abc import Mapping
from typing import Any

from rota_chassis.redaction import Redactor
from rota_contracts.tools import ToolDescription
from rota_executor.adapters.addresses import is_allowed
from rota_executor.adapters.fetching import MAX_BYTES, Fetched, fetch, parsed
from rota_executor.adapters.network import PORTS, Network
from rota_executor.adapters.registry import Registry, ToolFunction
from rota_executor.calls import AnsweredError, CredentialError, RefusedError, ToolCall

TIMEOUT_SECONDS = 30.0
# Characters of an answer's body that are shown.
MAX_SHOWN = 50_000
# From this status on an answer says that the request failed.
FAILED = 400
SHOWN_HEADERS = ("content-type", "location", "etag", "last-modified", "retry-after")

URL = {"type": "string", "maxLength": 4000, "description": "begins with https:// or http://"}
HEADERS = {
    "type": "object",
    "additionalProperties": {"type": "string", "maxLength": 4000},
    "maxProperties": 20,
    "description": "headers of the request",
}
CREDENTIAL = {
    "type": "string",
    "maxLength": 64,
    "description": "the name of a credential of the context, whose header is sent along",
}

GET = ToolDescription(
    name="http_get",
    description="Gets what is at an address of the web: JSON, text, a feed; follows redirects.",
    effect="read",
    idempotent=True,
    open_world=True,
    timeout_seconds=TIMEOUT_SECONDS,
    parameters={
        "type": "object",
        "properties": {"url": URL, "headers": HEADERS, "credential": CREDENTIAL},
        "required": ["url"],
        "additionalProperties": False,
    },
)
REQUEST = ToolDescription(
    name="http_request",
    description="Sends a request to an address of the web, which may change something; follows no redirect.",
    effect="write",
    open_world=True,
    timeout_seconds=TIMEOUT_SECONDS,
    parameters={
        "type": "object",
        "properties": {
            "method": {"enum": ["POST", "PUT", "PATCH", "DELETE", "GET"]},
            "url": URL,
            "headers": HEADERS,
            "credential": CREDENTIAL,
            "json": {"description": "the body, as JSON"},
            "body": {"type": "string", "description": "the body, as text; instead of json"},
        },
        "required": ["method", "url"],
        "additionalProperties": False,
    },
)


def register(registry: Registry, network: Network) -> None:
    registry.add_tool(GET, getting(network))
    registry.add_tool(REQUEST, requesting(network))


def getting(network: Network) -> ToolFunction:
    async def get(arguments: Mapping[str, Any], call: ToolCall) -> str:
        headers = await with_credential(arguments, call, network)
        async with network.client(call.context_id, seconds=TIMEOUT_SECONDS) as client:
            answer = await fetch(client, "GET", arguments["url"], headers=headers, follow=True)
            return told(answer, call.hidden)

    return get


def requesting(network: Network) -> ToolFunction:
    async def request(arguments: Mapping[str, Any], call: ToolCall) -> str:
        headers = {
            "idempotency-key": call.idempotency_key,
            **await with_credential(arguments, call, network),
        }
        content = None
        if "json" in arguments:
            if "body" in arguments:
                raise RefusedError("give json or body, not both")
            content = json.dumps(arguments["json"], ensure_ascii=False).encode()
            headers = {"content-type": "application/json", **headers}
        elif "body" in arguments:
            content = arguments["body"].encode()
        async with network.client(call.context_id, seconds=TIMEOUT_SECONDS) as client:
            answer = await fetch(
                client, arguments["method"], arguments["url"], headers=headers, content=content
            )
            return told(answer, call.hidden)

    return request


async def with_credential(arguments: Mapping[str, Any], call: ToolCall, network: Network) -> dict[str, str]:
    """The headers of a request, with that of the credential that it names."""
    headers = dict(arguments.get("headers", {}))
    name = arguments.get("credential")
    if name is not None:
        header, value = await signing(name, arguments["url"], call, network)
        headers = {key: said for key, said in headers.items() if key.lower() != header.lower()}
        headers[header] = value
    return headers


async def signing(name: str, address: str, call: ToolCall, network: Network) -> tuple[str, str]:
    """The header to send along with a request to that address.

    Raises:
        CredentialError: the credential is not for it.

    """
    credential = await call.credential(name, "http")
    url = parsed(address)
    port = url.port or PORTS[url.scheme]
    if not is_allowed(url.raw_host.decode(), port, frozenset(credential.settings["hosts"])):
        hosts = ", ".join(credential.settings["hosts"])
        raise CredentialError(f"the credential {name!r} is for {hosts} alone, not for {url.host!r}")
    if url.scheme != "https" and not await network.is_private(call.context_id, url.raw_host.decode(), port):
        raise CredentialError(f"the credential {name!r} is sent over https only")
    return credential.settings["header"], credential.secrets["value"]


def told(answer: Fetched, hidden: Redactor) -> str:
    """What was answered.

    Raises:
        AnsweredError: that it failed, by its status.

    """
    text = shown(answer, hidden)
    if answer.status >= FAILED:
        raise AnsweredError(text)
    return text


def shown(answer: Fetched, hidden: Redactor) -> str:
    """The status, the headers that say something, and the body as far as it is text.

    What is hidden is taken out before it is cut: the half of a secret would not be found any more.
    """
    lines = [f"HTTP {answer.status} from {answer.url}"]
    lines += [f"{name}: {answer.headers[name]}" for name in SHOWN_HEADERS if name in answer.headers]
    text = answer.text
    if text is None:
        size = f"more than {MAX_BYTES}" if answer.is_cut else len(answer.body)
        return "\n".join([*lines, f"({size} bytes that are no text)"])
    text = hidden(text)
    lines += ["", text[:MAX_SHOWN]]
    if len(text) > MAX_SHOWN or answer.is_cut:
        lines.append(f"(cut: the first {min(len(text), MAX_SHOWN)} characters)")
    return "\n".join(lines)
