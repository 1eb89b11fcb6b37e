"""Which calls a standing grant covers, and what it takes for a tool to be another one."""

from typing import Any

import msgspec
import pytest

from rota_contracts.grants import Pattern, exactly, tool_hash
from rota_contracts.tools import ToolDescription

MAIL = {"to": "ann@example.org", "urgent": True, "tags": ["a", {"n": 1}]}
TOOL = ToolDescription(name="mail", description="Sends.", effect="write", parameters={"a": 1, "b": [2]})


def pattern(other: str, **arguments: Any) -> Pattern:
    return msgspec.convert({"arguments": arguments, "other_arguments": other}, Pattern)


@pytest.mark.parametrize(
    ("given", "is_covered"),
    [
        (MAIL, True),
        (dict(reversed(MAIL.items())), True),
        ({**MAIL, "urgent": 1}, False),
        ({**MAIL, "tags": ["a", {"n": 1.0}]}, False),
        ({**MAIL, "tags": ["a", {"n": 1}, "b"]}, False),
        ({"to": MAIL["to"]}, False),
        ({**MAIL, "bcc": "eve@example.org"}, False),
        ({}, False),
    ],
)
def test_exact_arguments_are_these_and_no_others(given: dict[str, Any], is_covered: bool) -> None:
    assert exactly(MAIL).covers(given) is is_covered


def test_no_arguments_are_covered_by_none() -> None:
    assert exactly({}).covers({})
    assert not exactly({}).covers({"a": None})


def test_one_argument_may_be_fixed_and_the_rest_be_any() -> None:
    to_ann = pattern("any", to={"match": "exact", "value": "ann@example.org"})
    assert to_ann.covers({"to": "ann@example.org", "body": "x"})
    assert not to_ann.covers({"to": "eve@example.org", "body": "x"})
    assert not to_ann.covers({"body": "x"})


def test_a_named_argument_may_be_any_or_left_out_and_one_that_is_not_named_may_not_be_there() -> None:
    body = pattern("none", to={"match": "exact", "value": "a"}, body={"match": "any"})
    assert body.covers({"to": "a", "body": {"deep": []}})
    assert body.covers({"to": "a"})
    assert not body.covers({"to": "a", "body": "x", "cc": "b"})


def test_a_pattern_is_the_same_after_it_was_kept() -> None:
    for one in (exactly(MAIL), pattern("any", x={"match": "any"})):
        assert msgspec.json.decode(msgspec.json.encode(one), type=Pattern) == one


@pytest.mark.parametrize(
    ("change", "is_other"),
    [
        ({"description": "Sends mail."}, True),
        ({"effect": "read"}, True),
        ({"parameters": {"a": 1, "b": [3]}}, True),
        ({"parameters": {"b": [2], "a": 1}}, False),
        ({"timeout_seconds": 5.0}, False),
    ],
)
def test_a_tool_is_another_one_when_what_was_known_of_it_has_changed(
    change: dict[str, Any], is_other: bool
) -> None:
    assert (tool_hash(msgspec.structs.replace(TOOL, **change)) != tool_hash(TOOL)) is is_other
