"""What must fit together in an agent; each problem with the field and a remedy."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from rota_contracts.mcp import SEPARATOR
from rota_contracts.tools import Policy, ToolDescription
from rota_gateway.domain.checks import Problem, argument_problems
from rota_prices import is_listed, price_of

MAX_NAMED = 10
TOKEN_LIMITS = ("input_tokens_limit", "output_tokens_limit", "total_tokens_limit")


def problems(
    agent: Mapping[str, Any],
    tools: Mapping[str, ToolDescription],
    providers: Collection[str],
    unknown: Collection[str],
) -> list[Problem]:
    """Everything that is wrong with a definition, given what the executors have announced.

    `unknown` are the MCP servers that nobody has looked into yet: what their tools are will show.
    """
    found = [*_models(agent, providers), *_limits(agent)]
    seen: set[str] = set()
    for index, link in enumerate(agent["tools"]):
        if link["tool_name"] in tools or not _is_of(link["tool_name"], unknown):
            found += _link(f"tools[{index}]", link, tools, seen)
    if agent["style"] == "per_fact" and not any(link["mode"] == "prefetch" for link in agent["tools"]):
        found.append(
            Problem("style", "per_fact writes about what tools found before: link one with mode prefetch")
        )
    return found


def _is_of(tool: str, servers: Collection[str]) -> bool:
    return any(tool.startswith(f"{server}{SEPARATOR}") for server in servers)


def effective_policy(link: Mapping[str, Any], tools: Mapping[str, ToolDescription]) -> Policy:
    """What the link says, else what the tool's annotation says; who is not known asks."""
    policy: Policy | None = link["policy"]
    tool = tools.get(link["tool_name"])
    return policy or (tool.policy if tool else "ask")


def shown_jobs(total: int, jobs: Sequence[Mapping[str, Any]]) -> str:
    """Which jobs, for people: as many as there are names for, and how many more."""
    named = ", ".join(f"{job['name']!r} in {job['context_name']!r}" for job in jobs)
    more = f" and {total - len(jobs)} more" if total > len(jobs) else ""
    return f"{named}{more}"


def _models(agent: Mapping[str, Any], providers: Collection[str]) -> Iterator[Problem]:
    named = {"model": agent["model"]}
    named |= {f"fallback_models[{index}]": model for index, model in enumerate(agent["fallback_models"])}
    seen: set[str] = set()
    for field, model in named.items():
        provider = re.split("[:/]", model)[0]
        # Before any executor has announced what it has, nobody knows.
        if providers and provider not in providers:
            known = ", ".join(sorted(providers))
            yield Problem(field, f"no executor has models of {provider!r}; there are those of {known}")
        elif model in seen:
            yield Problem(field, f"{model!r} is asked already: name another, or leave it out")
        seen.add(model)


def _limits(agent: Mapping[str, Any]) -> Iterator[Problem]:
    """What a plug-in's models cost only the executor knows: it refuses the run where nobody does."""
    limits = agent["limits"]
    if limits.get("cost_limit") is None or any(limits.get(name) is not None for name in TOKEN_LIMITS):
        return
    for model in (agent["model"], *agent["fallback_models"]):
        if is_listed(model) and price_of(model) is None:
            yield Problem(
                "limits.cost_limit",
                f"nobody knows what {model!r} costs: add a limit of tokens (total_tokens_limit), "
                "or name another model",
            )


def _link(
    place: str, link: Mapping[str, Any], tools: Mapping[str, ToolDescription], seen: set[str]
) -> Iterator[Problem]:
    name = link["tool_name"]
    tool = tools.get(name)
    if tool is None:
        known = ", ".join(sorted(tools))
        yield Problem(f"{place}.tool_name", f"there is no tool {name!r}; there are: {known}")
        return
    if name in seen:
        yield Problem(f"{place}.tool_name", f"{name!r} is linked already: link it once")
    seen.add(name)
    if link["mode"] == "model":
        if link["arguments"]:
            yield Problem(f"{place}.arguments", "are for mode prefetch; in mode model the model chooses them")
        return
    if effective_policy(link, tools) == "ask":
        yield Problem(
            f"{place}.policy",
            "what runs before the model cannot ask: say auto to let it run, or link it with mode model",
        )
    for problem in argument_problems(tool.name, tool.parameters, link["arguments"]):
        yield Problem(f"{place}.{problem.field}", problem.message)
