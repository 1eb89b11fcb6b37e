"""What a person may say about an agent: one option for each field, a file for all of them."""

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rota_cli.errors import CliError

# Fields that have an option of their name.
SAME_NAMED = (
    *("model", "description", "style", "grounding", "max_concurrent_runs"),
    *("approval_expiry_seconds", "approval_expiry_action"),
)
POLICIES = ("auto", "ask", "deny")


def _option(kind: Any, *names: str, help: str) -> Any:  # noqa: A002 - typer's word
    return Annotated[kind | None, typer.Option(*names, help=help)]


OPTIONS: dict[str, Any] = {
    "model": _option(str, help="Which model, e.g. anthropic:claude-sonnet-5-5 or ollama:qwen3."),
    "prompt": _option(str, help="The system prompt: who the agent is, and what it keeps to."),
    "prompt_file": _option(Path, help="A file with the system prompt."),
    "description": _option(str, help="For people."),
    "fallback": _option(list[str], help="A model to ask when the others fail; repeatable."),
    "tool": _option(
        list[str], help="A tool that the model may call: NAME, or NAME=auto, =ask, =deny; repeatable."
    ),
    "prefetch": _option(list[str], help="A tool that runs before the model; repeatable."),
    "limit": _option(list[str], help="A limit of each run, e.g. request_limit=20; repeatable."),
    "setting": _option(list[str], help="A setting of the model, e.g. temperature=0; repeatable."),
    "style": _option(
        Literal["conversation", "per_fact"], help="How it goes about it.  (default: conversation)"
    ),
    "grounding": _option(
        Literal["none", "numbers"], help="numbers: none that neither prompt nor tools said.  (default: none)"
    ),
    "max_concurrent_runs": _option(int, help="At most so many of its runs at once, in each context."),
    "approval_expiry_seconds": _option(int, help="How long a call of its runs waits for a person."),
    "approval_expiry_action": _option(
        Literal["deny", "fail"], help="When nobody decides in time: deny the call, or fail the run."
    ),
    "file": _option(Path, help="A JSON file with fields as the API has them."),
}


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives the command these options; what was said becomes its argument `said`, fields of the API.

    Of tools only those that were named: `merged` joins them with those that are linked already.
    """

    @functools.wraps(command)
    def run(*arguments: Any, **choices: Any) -> None:
        said = {name: choices.pop(name) for name in OPTIONS}
        command(*arguments, **choices, said=_fields(said))

    own = [one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name != "said"]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=None)
        for name, annotation in OPTIONS.items()
    ]
    ordered = sorted([*own, *options], key=lambda one: one.kind)
    run.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]  # with_session reads it
    del run.__wrapped__  # else the signature of the command itself is read
    return run


def merged(said: Mapping[str, Any], stored: Mapping[str, Any], without: list[str]) -> dict[str, Any]:
    """What to send for an agent that is there: its tools, limits and settings with what was said of them."""
    body = dict(said)
    if "tools" in said or without:
        named = {link["tool_name"] for link in said.get("tools", [])} | set(without)
        kept = [link for link in stored["tools"] if link["tool_name"] not in named]
        body["tools"] = [*kept, *said.get("tools", [])]
    for field in ("limits", "model_settings"):
        if field in said:
            body[field] = {**stored[field], **said[field]}
    return body


def _fields(said: Mapping[str, Any]) -> dict[str, Any]:
    fields = _content(said["file"]) if said["file"] else {}
    if said["prompt_file"]:
        fields["system_prompt"] = _text(said["prompt_file"], "--prompt-file")
    if said["prompt"] is not None:
        fields["system_prompt"] = said["prompt"]
    for name in SAME_NAMED:
        if said[name] is not None:
            fields[name] = said[name]
    if said["fallback"]:
        fields["fallback_models"] = said["fallback"]
    if links := [*map(_link, said["tool"] or []), *map(_prefetched, said["prefetch"] or [])]:
        fields["tools"] = links
    for option, field in (("limit", "limits"), ("setting", "model_settings")):
        if said[option]:
            fields[field] = dict(_pair(one, f"--{option}") for one in said[option])
    return fields


def _link(text: str) -> dict[str, Any]:
    name, separator, policy = text.partition("=")
    if separator and policy not in POLICIES:
        raise CliError(
            f"--tool {text!r}: {policy!r} is no policy", remedy=f"say one of {', '.join(POLICIES)}"
        )
    return {"tool_name": name, "mode": "model", "policy": policy or None}


def _prefetched(name: str) -> dict[str, Any]:
    return {"tool_name": name, "mode": "prefetch"}


def _pair(text: str, option: str) -> tuple[str, Any]:
    """`name=value`; a value that is JSON is taken as that, another one as text."""
    name, separator, value = text.partition("=")
    if not separator:
        raise CliError(f"{option} {text!r} has no value", remedy=f"write it like {option} name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(_text(file, "--file"))
    except ValueError as error:
        raise CliError(f"{str(file)!r} is no JSON: {error}", remedy="correct the file") from error
    if not isinstance(content, dict):
        raise CliError(f"{str(file)!r} is no JSON object", remedy="write the fields of one agent into it")
    return content


def _text(file: Path, option: str) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"cannot read {str(file)!r}: {error}", remedy=f"correct {option}") from error
