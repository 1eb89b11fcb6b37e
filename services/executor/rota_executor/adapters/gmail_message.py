"""A message of Gmail as text: what its API answers with, read. Pure.

Source: the Gmail API, users.messages: headers and parts of MIME, bodies in URL-safe base64.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from rota_executor.adapters.readable import charset_of, readable

SHOWN = ("From", "To", "Cc", "Date", "Subject")
MAX_TEXT = 20_000
MAX_DEPTH = 20


def line(message: Mapping[str, Any]) -> str:
    """One line about it: id, date, who, what about, how it begins."""
    headers = headers_of(message)
    told = [headers.get(name.lower(), "") for name in ("Date", "From", "Subject")]
    snippet = " ".join(str(message.get("snippet", "")).split())
    return " | ".join([str(message.get("id", "")), *told, snippet])


def text(message: Mapping[str, Any]) -> str:
    """Its headers, its text, and what is attached."""
    headers = headers_of(message)
    payload = message.get("payload") or {}
    lines = [f"{name}: {headers[name.lower()]}" for name in SHOWN if name.lower() in headers]
    body = _body(payload)
    cut = f"\n(cut: the first {MAX_TEXT} of {len(body)} characters)" if len(body) > MAX_TEXT else ""
    names = [str(part["filename"]) for part in _parts(payload) if part.get("filename")]
    attached = [f"Attached: {', '.join(names)}"] if names else []
    return "\n".join([*lines, *attached, "", f"{body[:MAX_TEXT]}{cut}"])


def headers_of(message: Mapping[str, Any]) -> dict[str, str]:
    """By name in lower case, each on one line."""
    found = (message.get("payload") or {}).get("headers") or []
    return {str(one.get("name", "")).lower(): " ".join(str(one.get("value", "")).split()) for one in found}


def _body(payload: Mapping[str, Any]) -> str:
    """The plain text, else what can be read of the HTML."""
    shown = [part for part in _parts(payload) if not part.get("filename")]
    plain = [_decoded(part) for part in shown if part.get("mimeType") == "text/plain"]
    if any(one.strip() for one in plain):
        return "\n".join(plain).strip()
    for part in shown:
        if part.get("mimeType") == "text/html":
            try:
                return readable(_bytes(part), _content_type(part))
            except ValueError:
                continue
    return "(no text)"


def _parts(payload: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    yield payload
    if depth < MAX_DEPTH:
        for part in payload.get("parts") or []:
            yield from _parts(part, depth + 1)


def _decoded(part: Mapping[str, Any]) -> str:
    return _bytes(part).decode(charset_of(_content_type(part)), "replace")


def _bytes(part: Mapping[str, Any]) -> bytes:
    data = str((part.get("body") or {}).get("data") or "")
    try:
        return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    except ValueError:
        return b""


def _content_type(part: Mapping[str, Any]) -> str:
    for header in part.get("headers") or []:
        if str(header.get("name", "")).lower() == "content-type":
            return str(header.get("value", ""))
    return ""
