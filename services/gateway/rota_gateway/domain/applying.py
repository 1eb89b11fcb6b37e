"""What a file changes: the difference between what it says and what is there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

# What people switch by hand: a file that does not speak of it leaves it as it is.
SWITCHES = frozenset({"is_enabled", "paused_until"})


# In the order in which they are made: what is named by others comes before these.
Kind = Literal["context", "calendar", "mcp_server", "agent", "job", "budget"]


@dataclass(frozen=True)
class FieldChange:
    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Change:
    kind: Kind
    name: str
    action: Literal["create", "update", "delete"]
    fields: tuple[FieldChange, ...] = ()


def budget_name(period: str, job_name: str | None, agent_name: str | None) -> str:
    """There is one of each in a context: `month`, `day of agent Briefer`, `month of job Morning`."""
    if job_name is not None:
        return f"{period} of job {job_name}"
    return period if agent_name is None else f"{period} of agent {agent_name}"


def differences(
    wanted: BaseModel, stored: Mapping[str, Any], *, without: Collection[str] = ()
) -> tuple[FieldChange, ...]:
    """Each field that would change. What a file leaves out has its default, apart from the switches."""
    said = wanted.model_fields_set
    return tuple(
        FieldChange(field, stored[field], value)
        for field, value in wanted.model_dump().items()
        if field not in without and (field in said or field not in SWITCHES) and stored[field] != value
    )


def told(
    model: type[BaseModel], stored: Mapping[str, Any], *, without: Collection[str] = ()
) -> dict[str, Any]:
    """What a file has to say to make an object again: what is not as it would be anyway."""
    return {
        field: stored[field]
        for field, info in model.model_fields.items()
        if field not in without and (info.is_required() or stored[field] != _default(info))
    }


def _default(info: FieldInfo) -> Any:
    default = info.get_default(call_default_factory=True, validated_data={})
    return default.model_dump(exclude_unset=True) if isinstance(default, BaseModel) else default
