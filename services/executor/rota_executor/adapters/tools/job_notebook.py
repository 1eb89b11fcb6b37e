"""A notebook of each job: what one run notes, the next ones read.

Notes are kept together with the outcome of the run that made them. A run that is begun anew finds the
notebook as the first attempt found it.
"""

from collections.abc import Mapping
from typing import Any

from rota_contracts.tools import ToolDescription
from rota_executor.adapters.registry import Registry, ToolFunction
from rota_executor.calls import ToolCall
from rota_executor.domain import clean
from rota_executor.repository.notebooks import Notebooks

MAX_NOTES = 100
MAX_CHARACTERS = 100_000
KEY = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"^\S(.*\S)?$"}

READ = ToolDescription(
    name="job_notebook",
    description="Reads what earlier runs of this job noted for later ones: all notes, or the one of a key.",
    effect="read",
    idempotent=True,
    parameters={"type": "object", "properties": {"key": KEY}, "additionalProperties": False},
)
WRITE = ToolDescription(
    name="job_notebook_write",
    description="Notes something for the next runs of this job, by a key; without a value it is forgotten.",
    effect="write",
    idempotent=True,
    transactional=True,
    # It is the job's own, people see it, and nothing outside changes.
    default_policy="auto",
    parameters={
        "type": "object",
        "properties": {"key": KEY, "value": {"type": ["string", "null"], "maxLength": 10_000}},
        "required": ["key"],
        "additionalProperties": False,
    },
)


def register(registry: Registry, notebooks: Notebooks) -> None:
    registry.add_tool(READ, reading(notebooks))
    registry.add_tool(WRITE, writing(notebooks))


def reading(notebooks: Notebooks) -> ToolFunction:
    async def read(arguments: Mapping[str, Any], call: ToolCall) -> str:
        notes = with_changes(await notebooks.notes(call.job_id), call.notes)
        key = arguments.get("key")
        if key is not None:
            return notes.get(key, f"there is no note {key!r}")
        return "\n".join(f"{name}: {value}" for name, value in notes.items()) or "the notebook is empty"

    return read


def writing(notebooks: Notebooks) -> ToolFunction:
    async def write(arguments: Mapping[str, Any], call: ToolCall) -> str:
        key, value = clean(arguments["key"]), clean(arguments.get("value"))
        after = with_changes(await notebooks.notes(call.job_id), {**call.notes, key: value})
        if value is not None:
            require_room(after)
        call.notes[key] = value
        return f"forgotten: {key}" if value is None else f"noted: {key}"

    return write


def with_changes(notes: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The notes as they will be."""
    after = {**notes, **changes}
    return {key: value for key, value in sorted(after.items()) if value is not None}


def require_room(notes: Mapping[str, str]) -> None:
    """Raises ValueError where it is more than a notebook holds."""
    size = sum(len(key) + len(value) for key, value in notes.items())
    if len(notes) > MAX_NOTES or size > MAX_CHARACTERS:
        raise ValueError(
            f"the notebook would have {len(notes)} notes of {size} characters; it holds {MAX_NOTES} of "
            f"{MAX_CHARACTERS}: forget something first"
        )
