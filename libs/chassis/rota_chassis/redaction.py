"""Secrets are taken out of what is told: as they are, and as they look where something has encoded them."""

import base64
import contextlib
import html
import json
from collections import OrderedDict
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

HIDDEN = "[redacted]"
# What is shorter is no secret that could be told from a word.
MIN_LENGTH = 6


class Redactor:
    """Knows the latest `most` secrets; without any it costs nothing."""

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._forms: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def add(self, secrets: Iterable[str]) -> None:
        for secret in secrets:
            if len(secret) >= MIN_LENGTH:
                self._forms[secret] = _forms(secret)
                self._forms.move_to_end(secret)
        while len(self._forms) > self._most:
            self._forms.popitem(last=False)

    def __bool__(self) -> bool:
        return bool(self._forms)

    @property
    def longest(self) -> int:
        """How many characters of a text may be a secret."""
        return max((len(form) for forms in self._forms.values() for form in forms), default=0)

    def __call__(self, text: str) -> str:
        """The text without them."""
        for forms in self._forms.values():
            for form in forms:
                if form in text:
                    text = text.replace(form, HIDDEN)
        return text


def parts_of(secret: str) -> list[str]:
    """The secret, and what of it is one by itself: the token after `Bearer`, the password in `Basic`."""
    scheme, _, rest = secret.partition(" ")
    if not rest:
        return [secret]
    parts = [secret, rest]
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            parts.append(base64.b64decode(rest, validate=True).decode().partition(":")[2])
    return [part for part in parts if part]


def _forms(secret: str) -> tuple[str, ...]:
    """The longest first, so that none leaves a part of another behind."""
    raw = secret.encode()
    encoded = {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }
    return tuple(sorted(encoded, key=len, reverse=True))
