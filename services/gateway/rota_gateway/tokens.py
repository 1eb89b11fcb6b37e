"""Secrets that the gateway hands out. It keeps their SHA-256 only: they are random, so that is enough."""

import hashlib
import secrets

API_KEY_PREFIX = "rota_"
# Enough to recognise a key in a list, far too little to guess the rest.
SHOWN_CHARACTERS = 11


def new_api_key() -> str:
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def new_token() -> str:
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def shown_prefix(api_key: str) -> str:
    return api_key[:SHOWN_CHARACTERS]
