"""A secret is taken out of what is told, also where something has encoded it."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from rota_chassis.redaction import HIDDEN, Redactor, parts_of

SECRET = 'p4ss w&rd/"ü"+<x>'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        html.escape(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_it_is_found_as_it_is_and_as_it_is_encoded(form: str) -> None:
    hidden = Redactor()
    hidden.add([SECRET])
    told = hidden(f"before {form} after")
    assert HIDDEN in told
    assert "p4ss" not in told
    assert told.startswith("before ")


def test_without_a_secret_a_text_is_as_it_was() -> None:
    hidden = Redactor()
    hidden.add(["", "short"])
    assert not hidden
    assert hidden("a short text") == "a short text"


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    hidden = Redactor(most=2)
    hidden.add(["first-secret", "second-secret"])
    hidden.add(["first-secret", "third-secret"])
    assert hidden("first-secret second-secret third-secret") == f"{HIDDEN} second-secret {HIDDEN}"


def test_what_stands_in_a_header_is_a_secret_by_itself() -> None:
    assert parts_of("a-token") == ["a-token"]
    assert parts_of("Bearer a-token") == ["Bearer a-token", "a-token"]
    basic = base64.b64encode(b"ada:her-password").decode()
    assert parts_of(f"Basic {basic}") == [f"Basic {basic}", basic, "her-password"]
    assert parts_of("Basic !") == ["Basic !", "!"]
