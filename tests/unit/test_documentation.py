"""The page of each service names what there is, and nothing that is not."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from rota_chassis.settings import ServiceSettings, environment_name
from rota_contracts import streams
from rota_contracts.permissions import PERMISSIONS
from rota_contracts.streams import Consumer

SERVICES = ("gateway", "ticker", "executor", "results", "notifier")
DURABLES = {thing.durable: thing for thing in vars(streams).values() if isinstance(thing, Consumer)}
NAME = re.compile(r"`([^`]+)`")

each_service = pytest.mark.parametrize("service", SERVICES)


def page(service: str) -> str:
    return (Path(__file__).parents[2] / "services" / service / "README.md").read_text()


def row(service: str, title: str) -> str:
    """A row of the table at the top: does, consumes, publishes, reads, writes."""
    [found] = re.findall(rf"^\| {title} \| (.*) \|$", page(service), re.MULTILINE)
    return str(found)


def named(text: str) -> set[str]:
    """What stands in backquotes, blocks of code and explanations in parentheses left out."""
    return set(NAME.findall(re.sub(r"^```.*?^```|\([^)]*\)", "", text, flags=re.MULTILINE | re.DOTALL)))


def settings(service: str) -> dict[str, FieldInfo]:
    """The variables of a service's own, its bootstrap's too."""
    module = import_module(f"rota_{service}.settings")
    return {
        environment_name(field, name): field
        for owner in vars(module).values()
        if isinstance(owner, type) and issubclass(owner, ServiceSettings)
        for name, field in owner.model_fields.items()
        if name not in ServiceSettings.model_fields
    }


SHARED = {environment_name(field, name) for name, field in ServiceSettings.model_fields.items()}


def durables(service: str) -> set[str]:
    """The consumers that a service may ask about are its own."""
    prefix = "$JS.API.CONSUMER.INFO."
    return {may.rpartition(".")[2] for may in PERMISSIONS[service].publish if may.startswith(prefix)}


@each_service
def test_every_setting_is_documented_and_no_other(service: str) -> None:
    own = settings(service)
    text = page(service)
    assert own
    assert own.keys() - named(text) == set()
    mentioned = re.findall(rf"\b(?:ROTA|{service.upper()})_[A-Z_]*[A-Z]\b", text)
    assert {name.removesuffix("_FILE") for name in mentioned} - own.keys() - SHARED == set()


@each_service
def test_the_documented_defaults_are_the_real_ones(service: str) -> None:
    """Those that are numbers; the others are told in words."""
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (\S+) \|", page(service), re.MULTILINE))
    numbers = {name: field.default for name, field in settings(service).items() if _is_number(field.default)}
    assert {name: f"{default:g}" for name, default in numbers.items()} == {
        name: rows.get(name) for name in numbers
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@each_service
def test_what_every_service_is_told_stands_on_one_page(service: str) -> None:
    if service == "ticker":
        assert SHARED - named(page(service)) == set()
    else:
        assert "what every service is told (see the [ticker](../ticker/README.md))" in page(service)


@each_service
def test_what_it_publishes_is_what_its_permissions_let_it(service: str) -> None:
    subjects = {may.rstrip(".*") for may in PERMISSIONS[service].publish if not may.startswith("$JS.")}
    assert named(row(service, "publishes")) == subjects


@each_service
def test_its_durable_consumers_are_named_with_their_subjects(service: str) -> None:
    text = row(service, "consumes")
    assert set(re.findall(r"durable `([^`]+)`", text)) == durables(service)
    subjects = {subject.rstrip(".*") for name in durables(service) for subject in DURABLES[name].filters}
    assert subjects - named(text) == set()
