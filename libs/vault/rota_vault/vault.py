"""Fernet (AES-128-CBC with HMAC-SHA256) under a list of keys: the first one seals, each of them opens.

What is sealed names its place, so that a row copied over another one, or into another context, opens no more.
"""

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY_BYTES = 32


class KeyListError(ValueError):
    """The list of keys cannot be used; the message holds none of them."""


class SealError(Exception):
    """It was sealed with a key that is not in the list, for another place, or is damaged."""


def new_key() -> str:
    """Another key for the list: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def keys_of(text: str) -> list[str]:
    """The keys in a setting or a file, one a line or with commas between, the one that seals first.

    Raises:
        KeyListError: one of them is no key.

    """
    keys = [key for key in re.split(r"[,\s]+", text) if key]
    for number, key in enumerate(keys, 1):
        try:
            size = len(base64.b64decode(key, altchars=b"-_", validate=True))
        except ValueError:
            size = 0
        if size != KEY_BYTES:
            raise KeyListError(f"key {number} of {len(keys)} is not {KEY_BYTES} bytes in URL-safe base64")
    return keys


class Vault:
    def __init__(self, keys: Sequence[str]) -> None:
        """Raises KeyListError for an empty list."""
        if not keys:
            raise KeyListError("there is no key")
        self._keys = tuple(keys)
        self._made: MultiFernet | None = None

    def seal(self, place: str, secrets: Mapping[str, str]) -> bytes:
        """The secrets, by name, for that place only."""
        document = json.dumps({"place": place, "secrets": dict(secrets)}).encode()
        return self._fernet.encrypt(document)

    def open(self, place: str, sealed: bytes) -> dict[str, str]:
        """What was sealed for that place.

        Raises:
            SealError: it cannot be opened, or was not sealed for it.

        """
        from cryptography.fernet import InvalidToken  # noqa: PLC0415  slow, and not needed before

        try:
            document = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise SealError("none of the keys opens it") from None
        if document["place"] != place:
            raise SealError("it was sealed for another place")
        secrets: dict[str, str] = document["secrets"]
        return secrets

    def reseal(self, sealed: bytes) -> bytes:
        """The same under the first key.

        Raises:
            SealError: it cannot be opened.

        """
        from cryptography.fernet import InvalidToken  # noqa: PLC0415  as above

        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise SealError("none of the keys opens it") from None

    @property
    def _fernet(self) -> "MultiFernet":
        if self._made is None:
            from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  as above

            self._made = MultiFernet([Fernet(key) for key in self._keys])
        return self._made
