"""Calls to the gateway, and what a person reads when one fails."""

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httpx2

from rota_cli.errors import CliError

_TIMEOUT_SECONDS = 30
_SLOW_SECONDS = 900
_PAGE = 100
_UNAUTHORISED = 401


class ApiError(CliError):
    """The gateway refused: the problem document's detail and what is wrong with which field."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        reason = str(problem.get("detail") or problem.get("title") or f"the gateway answered {status}")
        fields = [f"{error.get('field')}: {error.get('message')}" for error in problem.get("errors") or []]
        lines = [reason, *(f"  {field}" for field in fields if field not in reason)]
        remedy = "give a valid key with ROTA_API_KEY or --api-key-file" if status == _UNAUTHORISED else ""
        super().__init__("\n".join(lines), remedy=remedy)


class Event(NamedTuple):
    """As the server sent it."""

    id: str
    name: str
    data: dict[str, Any]


class Api:
    def __init__(self, url: str, key: str | None) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.Client(
            base_url=f"{self.url}/api/v1",
            headers=headers,
            timeout=_TIMEOUT_SECONDS,
            trust_env=not is_local(url),  # a proxy of the surroundings does not know this machine's ports
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **parameters: object) -> Any:
        return self._call("GET", path, params=_present(parameters))

    def get_slowly(self, path: str, **parameters: object) -> Any:
        """What the gateway may have to count for minutes."""
        return self._call("GET", path, params=_present(parameters), timeout=_SLOW_SECONDS)

    def post(self, path: str, body: object = None) -> Any:
        return self._call("POST", path, json=body)

    def put(self, path: str, body: object) -> Any:
        return self._call("PUT", path, json=body)

    def patch(self, path: str, body: object) -> Any:
        return self._call("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def listing(self, path: str, *, limit: int | None = None, **parameters: object) -> dict[str, Any]:
        """The items of a list, page after page, at most `limit` of them, and where the next one begins."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            left = _PAGE if limit is None else min(limit - len(items), _PAGE)
            page = self.get(path, **parameters, cursor=cursor, limit=left)
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise _no_gateway(self.url)
            items += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None or (limit is not None and len(items) >= limit):
                return {"items": items, "next_cursor": cursor}

    def items(self, path: str, *, limit: int | None = None, **parameters: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.listing(path, limit=limit, **parameters)["items"]
        return found

    def events(self, path: str, *, after: str = "") -> Iterator[Event]:
        """What the server sends until it ends the stream, or the connection breaks (a CliError)."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": after} if after else {})}
        with self._reached(), self._client.stream("GET", path, headers=headers) as response:
            if not response.is_success:
                response.read()
                raise ApiError(response.status_code, _problem(response))
            yield from _events(response.iter_lines())

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        with self._reached():
            response = self._client.request(method, path, **arguments)
        if response.is_success:
            return _json(response) if response.content else None
        raise ApiError(response.status_code, _problem(response))

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Says in words for people that nobody answered."""
        try:
            yield
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise CliError(
                f"{self.url!r} is no address of a gateway: {error}", remedy="correct --url"
            ) from error
        except httpx2.TransportError as error:
            raise CliError(
                f"no gateway answers at {self.url} ({error or type(error).__name__})",
                remedy="start one with 'rota up', or name another with --url or ROTA_URL",
            ) from error

    def ready(self) -> str:
        """Empty when the whole path is ready, else what is missing."""
        try:
            response = self._client.get(f"{self.url}/readyz", timeout=5)
        except httpx2.TransportError as error:
            return f"no answer yet ({type(error).__name__})"
        return "" if response.is_success else response.text.strip() or f"status {response.status_code}"


def is_local(url: str) -> bool:
    """Whether the address is this machine's own."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _present(parameters: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise _no_gateway(str(response.url)) from error


def _no_gateway(url: str) -> CliError:
    return CliError(f"{url} does not answer as a gateway does: is it one?", remedy="check --url")


def _problem(response: httpx2.Response) -> Mapping[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        return problem
    return {"detail": f"{response.url} answered {response.status_code} {response.reason_phrase}"}


def _events(lines: Iterable[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif not line:
            if "data" in fields:
                yield Event(fields.get("id", ""), fields.get("event", ""), json.loads(fields["data"]))
            fields = {}
