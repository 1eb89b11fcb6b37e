"""Whether a person's word on a call is still wanted."""

from collections.abc import Mapping
from typing import Any, Literal


def refusal(effect: Mapping[str, Any], decision: Literal["confirmed", "repeated"]) -> str | None:
    """Why nothing is to be said of the call, for people; None when it is.

    What is known to be done needs nobody who confirms it; it may have been wrong, and be wanted again.
    """
    if effect["decision"] is not None:
        at = effect["decided_at"]
        return f"The call is {effect['decision']} already, since {at:%Y-%m-%d %H:%M} UTC."
    if effect["interrupted_attempt"] is None:
        return "The run was not interrupted, or has gone on since: nothing of it is open."
    if effect["attempt"] <= effect["resumes"]:
        return "The run went on after this call: it is not open."
    if effect["state"] == "failed":
        return "The call failed, and the run knew of it: it is not open."
    if effect["state"] == "done" and decision == "confirmed":
        return "The call is known to be done."
    if decision == "repeated" and effect["job_id"] is None:
        return "The job was deleted: nothing can be made again."
    return None
