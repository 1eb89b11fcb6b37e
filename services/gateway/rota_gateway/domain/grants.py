"""Whether a standing grant still holds, and why not."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from rota_contracts.grants import prompt_hash, tool_hash
from rota_contracts.tools import ToolDescription

State = Literal["active", "void", "expired", "used_up", "revoked"]


class Standing(NamedTuple):
    """`reason` says why it does not hold any more."""

    state: State
    reason: str | None = None


def standing(grant: Mapping[str, Any], tool: ToolDescription | None, now: datetime) -> Standing:
    """What has become of a grant; it is beside what its job, agent and tool are now.

    Whoever looks at it sees the same as an executor that does: a change of what it is bound to voids it, and
    it holds again where that is taken back (of an agent never: each save is a revision of its own).
    """
    if grant["revoked_at"] is not None:
        return Standing("revoked", "A person revoked it.")
    if grant["expires_at"] <= now:
        return Standing("expired", f"It was for calls until {grant['expires_at']:%Y-%m-%d %H:%M} UTC.")
    if grant["max_uses"] is not None and grant["uses"] >= grant["max_uses"]:
        return Standing("used_up", f"It was for {grant['max_uses']} calls.")
    if change := what_changed(grant, tool):
        return Standing("void", change)
    return Standing("active")


def what_changed(grant: Mapping[str, Any], tool: ToolDescription | None) -> str | None:
    """What is not as it was when the grant was given; None when all of it is."""
    if grant["job_tool"] is not None:
        return f"The job calls the tool {grant['job_tool']!r} now, and no agent."
    if grant["job_agent_name"] != grant["agent_name"]:
        return f"The job runs the agent {grant['job_agent_name']!r} now."
    if grant["current_agent_id"] != grant["agent_id"]:
        return f"The agent {grant['agent_name']!r} was deleted, or another one took its name."
    if grant["current_agent_revision"] != grant["agent_revision"]:
        return (
            f"The agent was changed: it is at revision {grant['current_agent_revision']}, "
            f"the grant is for revision {grant['agent_revision']}."
        )
    if prompt_hash(grant["job_prompt"]) != grant["prompt_hash"]:
        return "The prompt of the job was changed."
    if tool is None:
        return f"No executor has the tool {grant['tool_name']!r} any more."
    if tool_hash(tool) != grant["tool_hash"]:
        return f"The tool {tool.name!r} was changed: its description, its effect or its parameters."
    return None


def was_for(run: Mapping[str, Any], job: Mapping[str, Any]) -> str | None:
    """Why a call of this run is none that the job, as it is now, would make; None when it is."""
    if run["agent_name"] != job["job_agent_name"]:
        return f"the job runs the agent {job['job_agent_name']!r} now"
    if run["agent_revision"] != job["current_agent_revision"]:
        return "the agent was changed since the run began"
    prompt, asked = job["job_prompt"], run["prompt"]
    if asked != prompt and not asked.startswith(f"{prompt}\n\n"):
        return "the prompt of the job was changed since the run began"
    return None
