"""`rota agents` against a real HTTP server that speaks as the gateway does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.test_client import CONTEXT, Gateway, Rota, gateway, rota

__all__ = ["gateway", "rota"]  # fixtures

AGENT: dict[str, Any] = {
    "id": "44444444-4444-4444-8444-444444444444",
    "context_id": None,
    "name": "morning briefer",
    "description": "Reads.",
    "model": "ollama:qwen3",
    "fallback_models": [],
    "system_prompt": "Be brief.\nBe kind.",
    "model_settings": {"temperature": 0},
    "examples": [],
    "style": "conversation",
    "grounding": "none",
    "limits": {"request_limit": 5},
    "max_concurrent_runs": None,
    "approval_expiry_seconds": None,
    "approval_expiry_action": None,
    "tools": [
        {"tool_name": "clock", "mode": "model", "policy": None, "arguments": {}},
        {"tool_name": "machine_disk", "mode": "prefetch", "policy": "auto", "arguments": {}},
    ],
    "policies": {"clock": "auto", "machine_disk": "auto"},
    "revision": 3,
    "created_at": "2026-11-21T12:00:00Z",
    "updated_at": "2026-11-21T12:00:00Z",
}
PATH = "/agents/morning%20briefer"


def test_agents_are_listed_with_whose_they_are(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/agents", AGENT, {**AGENT, "name": "own", "context_id": CONTEXT})
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})
    said = rota("agents", "list")
    assert said.code == 0
    lines = said.out.splitlines()
    assert ["(every)" in lines[1], "home" in lines[2], "clock, machine_disk" in lines[1]] == [True] * 3


def test_an_agent_is_shown_with_its_prompt_and_the_policy_of_each_tool(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("GET", PATH, AGENT)
    said = rota("agents", "show", "morning briefer")
    assert said.code == 0
    assert "clock (auto)" in said.out
    assert "machine_disk (before the model)" in said.out
    assert "system_prompt:\nBe brief.\nBe kind." in said.out


def test_an_agent_is_created_with_what_was_given_and_nothing_else(
    gateway: Gateway, rota: Rota, tmp_path: Path
) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})
    gateway.answer("POST", "/agents", AGENT, status=201)
    (tmp_path / "prompt").write_text("Be brief.")
    said = rota(
        *("agents", "create", "briefer", "--context", "home", "--model", "ollama:qwen3"),
        *("--prompt-file", str(tmp_path / "prompt"), "--fallback", "local:smollm2"),
        *("--tool", "clock", "--tool", "http_request=ask", "--prefetch", "machine_disk"),
        *("--limit", "request_limit=20", "--setting", "temperature=0.5", "--setting", "service_tier=flex"),
    )
    assert said.code == 0, said.err
    assert gateway.asked[-1][3] == {
        "name": "briefer",
        "context_id": CONTEXT,
        "model": "ollama:qwen3",
        "system_prompt": "Be brief.",
        "fallback_models": ["local:smollm2"],
        "limits": {"request_limit": 20},
        "model_settings": {"temperature": 0.5, "service_tier": "flex"},
        "tools": [
            {"tool_name": "clock", "mode": "model", "policy": None},
            {"tool_name": "http_request", "mode": "model", "policy": "ask"},
            {"tool_name": "machine_disk", "mode": "prefetch"},
        ],
    }


def test_an_edit_changes_what_was_named_and_keeps_the_other_tools(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/contexts", {"id": CONTEXT, "name": "home"})
    gateway.answer("GET", PATH, AGENT)
    gateway.answer("PATCH", PATH, AGENT)
    said = rota(
        *("agents", "edit", "morning briefer", "--context", "home", "--tool", "clock=deny"),
        *("--tool", "http_get", "--remove-tool", "machine_disk", "--limit", "tool_calls_limit=9"),
    )
    assert said.code == 0, said.err
    assert gateway.asked[-1][2] == {"context_id": CONTEXT}
    assert gateway.asked[-1][3] == {
        "revision": 3,
        "limits": {"request_limit": 5, "tool_calls_limit": 9},
        "tools": [
            {"tool_name": "clock", "mode": "model", "policy": "deny"},
            {"tool_name": "http_get", "mode": "model", "policy": None},
        ],
    }


def test_without_options_an_agent_is_edited_in_the_editor(
    gateway: Gateway, rota: Rota, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.answer("GET", PATH, AGENT)
    gateway.answer("PATCH", PATH, AGENT)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/qwen3/qwen4/")
    assert rota("agents", "edit", "morning briefer").code == 0
    assert gateway.asked[-1][3] == {"revision": 3, "model": "ollama:qwen4"}
    monkeypatch.setenv("EDITOR", "true")
    assert rota("agents", "edit", "morning briefer").out == "nothing was changed\n"
    monkeypatch.setenv("EDITOR", "sed -i d")
    assert "is no JSON" in rota("agents", "edit", "morning briefer").err
    monkeypatch.setenv("EDITOR", "no-such-editor")
    assert "name another one in EDITOR" in rota("agents", "edit", "morning briefer").err


def test_what_the_command_line_can_see_is_refused_before_it_is_sent(gateway: Gateway, rota: Rota) -> None:
    for option, words in (
        (("--tool", "clock=perhaps"), "'perhaps' is no policy"),
        (("--limit", "many"), "has no value"),
        (("--file", "/nowhere"), "cannot read '/nowhere'"),
    ):
        said = rota("agents", "create", "x", *option)
        assert (said.code, words in said.err) == (1, True), said.err
    assert gateway.asked == []


def test_an_agent_that_jobs_run_stays_and_the_jobs_are_named(gateway: Gateway, rota: Rota) -> None:
    problem = {"detail": "The agent 'x' is run by 'Morning' in 'Home'", "status": 409, "title": "Conflict"}
    gateway.answer("DELETE", "/agents/x", problem, status=409)
    said = rota("agents", "delete", "x", "--yes")
    assert (said.code, "'Morning' in 'Home'" in said.err) == (1, True)


def test_revisions_are_listed_and_one_is_shown_whole(gateway: Gateway, rota: Rota) -> None:
    revision = {name: AGENT[name] for name in AGENT.keys() - {"policies", "updated_at", "id"}}
    gateway.items("/agents/briefer/revisions", {**revision, "created_by": None})
    listed = rota("agents", "revisions", "briefer")
    assert all(word in listed.out for word in ("(shipped)", "ollama:qwen3", "Be brief.…"))
    shown = rota("agents", "revisions", "briefer", "--revision", "3", "--json")
    assert json.loads(shown.out)["revision"] == 3
    assert gateway.asked[-1][2] == {"cursor": "4", "limit": "1"}
    missing = rota("agents", "revisions", "briefer", "--revision", "2")
    assert (missing.code, "has no revision 2" in missing.err) == (1, True)


def test_tools_are_listed_with_what_they_take(gateway: Gateway, rota: Rota) -> None:
    schema = {"properties": {"url": {}, "headers": {}}, "required": ["url"]}
    tool: dict[str, Any] = {"name": "http_get", "effect": "read", "policy": "auto", "parameters": schema}
    tool |= {"source": "rota", "description": "Gets it."}
    gateway.items("/tools", tool, {**tool, "name": "x", "parameters": {}})
    said = rota("tools")
    assert said.code == 0
    assert "url [headers]" in said.out
    assert "Gets it." in said.out
