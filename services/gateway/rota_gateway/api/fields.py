"""The kinds of input, each checked in one place."""

import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

# Text may have several lines; nothing else that a terminal or a mail would act upon.
LINE_BREAKS = frozenset("\n\r\t")
NAME_CATEGORIES = frozenset({"Nd", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc"})
# The dot-atom form of RFC 5322 in a host name of RFC 1123, lengths as in RFC 5321.
EMAIL = re.compile(
    r"(?=.{3,254}$)(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class Input(BaseModel):
    """A body: no field that is not known, no type that has to be guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Patch(Input):
    """A body in which every field may be left out; a default here is never read, and not documented."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


def _no_control_characters(value: str, allowed: frozenset[str] = frozenset()) -> str:
    for place, character in enumerate(value, 1):
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in allowed:
            raise ValueError(f"must not contain control characters (character {place})")
    return value


def _one_line(value: str) -> str:
    return _no_control_characters(value)


def _text(value: str) -> str:
    return _no_control_characters(value, LINE_BREAKS)


def _name(value: str) -> str:
    for place, character in enumerate(value, 1):
        if character not in " -_" and unicodedata.category(character) not in NAME_CATEGORIES:
            raise ValueError(
                f"may contain letters, digits, space, - and _ only (character {place} is {character!r})"
            )
    return value


def _trimmed(value: object) -> object:
    return unicodedata.normalize("NFC", _one_line(value).strip()) if isinstance(value, str) else value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


def is_email(value: str) -> bool:
    return EMAIL.fullmatch(value) is not None


Trimmed = BeforeValidator(_trimmed)
Name = Annotated[str, Field(min_length=1, max_length=255), Trimmed, AfterValidator(_name)]
Label = Annotated[str, Field(min_length=1, max_length=255), Trimmed]
Line = Annotated[str, Trimmed]
Description = Annotated[str, Field(max_length=1000), AfterValidator(_text)]
PromptContext = Annotated[str, Field(max_length=5000), AfterValidator(_text)]
Prompt = Annotated[
    str, Field(min_length=1, max_length=5000), AfterValidator(_text), AfterValidator(_not_blank)
]
