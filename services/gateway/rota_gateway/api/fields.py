"""The kinds of input, each checked in one place."""

import json
import re
import unicodedata
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

# Text may have several lines; nothing else that a terminal or a mail would act upon.
LINE_BREAKS = frozenset("\n\r\t")
NAME_CATEGORIES = frozenset({"Nd", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc"})
# Of arguments of a tool.
MAX_DEPTH = 20
MAX_JSON_LENGTH = 20_000
# The dot-atom form of RFC 5322 in a host name of RFC 1123, lengths as in RFC 5321.
EMAIL = re.compile(
    r"(?=.{3,254}$)(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


def without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class Input(BaseModel):
    """A body: no field that is not known, no type that has to be guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Patch(Input):
    """A body in which every field may be left out; a default here is never read, and not documented."""

    model_config = ConfigDict(json_schema_extra=without_defaults)


def _no_control_characters(value: str, allowed: frozenset[str] = frozenset()) -> str:
    for place, character in enumerate(value, 1):
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in allowed:
            raise ValueError(f"must not contain control characters (character {place})")
    return value


def _one_line(value: str) -> str:
    return _no_control_characters(value)


def text(value: str) -> str:
    return _no_control_characters(value, LINE_BREAKS)


def _name(value: str) -> str:
    for place, character in enumerate(value, 1):
        if character not in " -_" and unicodedata.category(character) not in NAME_CATEGORIES:
            raise ValueError(
                f"may contain letters, digits, space, - and _ only (character {place} is {character!r})"
            )
    return value


def trimmed(value: object) -> object:
    return unicodedata.normalize("NFC", _one_line(value).strip()) if isinstance(value, str) else value


def plain_json(value: Any, depth: int = 0) -> Any:
    """What PostgreSQL keeps as it is: no control characters in texts, no numbers that are none."""
    if depth > MAX_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        text(value)
    elif isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is no number that JSON knows")
    elif isinstance(value, list):
        for one in value:
            plain_json(one, depth + 1)
    elif isinstance(value, dict):
        for name, one in value.items():
            _one_line(name)
            plain_json(one, depth + 1)
    return value


def small(value: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(value, ensure_ascii=False))
    if size > MAX_JSON_LENGTH:
        raise ValueError(f"has {size} characters as JSON, at most {MAX_JSON_LENGTH} are allowed")
    return value


def is_email(value: str) -> bool:
    return EMAIL.fullmatch(value) is not None


def _email(value: str) -> str:
    """Two spellings of an address are one person's."""
    if not is_email(value):
        raise ValueError("is no email address: write it as name@example.com")
    return value.lower()


def plain_amount(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


Trimmed = BeforeValidator(trimmed)
Name = Annotated[str, Field(min_length=1, max_length=255), Trimmed, AfterValidator(_name)]
Label = Annotated[str, Field(min_length=1, max_length=255), Trimmed]
Line = Annotated[str, Trimmed]
Email = Annotated[str, Field(max_length=254), Trimmed, AfterValidator(_email)]
Description = Annotated[str, Field(max_length=1000), AfterValidator(text)]
PromptContext = Annotated[str, Field(max_length=5000), AfterValidator(text)]
# Blank only where something else says what to do.
Prompt = PromptContext
ExpirySeconds = Annotated[
    int, Field(ge=60, le=30 * 86_400, description="how long a call that asks waits for a person")
]
ExpiryAction = Annotated[
    Literal["deny", "fail"],
    Field(description="when nobody decided in time: deny the call and go on, or fail the run"),
]
JsonObject = Annotated[dict[str, Any], AfterValidator(plain_json), AfterValidator(small)]
# Written as text, as the answers have it: no amount is rounded on its way.
Dollars = Annotated[
    Decimal,
    Field(strict=False, gt=0, le=1_000_000, max_digits=13, decimal_places=6),
    PlainSerializer(plain_amount, return_type=str),
]
