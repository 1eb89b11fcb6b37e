"""`rota approvals` against a real HTTP server that speaks as the gateway does."""

from typing import Any

from tests.integration.cli.test_client import Gateway, Rota, gateway, rota

__all__ = ["gateway", "rota"]  # fixtures

ACTION: dict[str, Any] = {
    "id": "55555555-5555-4555-8555-555555555555",
    "run_id": "66666666-6666-4666-8666-666666666666",
    "context_id": "77777777-7777-4777-8777-777777777777",
    "job_id": None,
    "job_name": "Report",
    "agent_name": "clerk",
    "tool_call_id": "call-1",
    "tool_name": "http_request",
    "arguments": {"url": "https://example.org"},
    "reason": "The page has changed.",
    "status": "pending",
    "expires_at": "2026-11-23T12:00:00Z",
    "created_at": "2026-11-22T12:00:00Z",
    "approved_arguments": None,
    "note": "",
    "decided_by": None,
    "decided_at": None,
}
PATH = f"/approvals/{ACTION['id']}"


def test_what_waits_is_listed_with_the_call_and_its_end(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/approvals", ACTION)
    said = rota("approvals", "list")
    assert said.code == 0, said.err
    assert gateway.asked[-1][2]["status"] == "pending"
    assert "http_request" in said.out
    assert "https://example.org" in said.out
    rota("approvals", "list", "--all")
    assert "status" not in gateway.asked[-1][2]


def test_a_call_is_approved_with_other_arguments(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"{PATH}/approve", {**ACTION, "status": "approved"})
    said = rota(
        "approvals", "approve", ACTION["id"], "--note", "ok", "--arguments", '{"url": "https://b.org"}'
    )
    assert said.code == 0, said.err
    assert gateway.asked[-1][3] == {"note": "ok", "arguments": {"url": "https://b.org"}}
    assert "approved" in said.out


def test_a_call_is_denied_with_a_note(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", f"{PATH}/deny", {**ACTION, "status": "denied"})
    assert rota("approvals", "deny", ACTION["id"], "--note", "too dear").code == 0
    assert gateway.asked[-1][3] == {"note": "too dear"}


def test_what_cannot_be_asked_for_names_the_remedy(gateway: Gateway, rota: Rota) -> None:
    said = rota("approvals", "approve", "the first one")
    assert (said.code, "rota approvals list" in said.err) == (1, True)
    said = rota("approvals", "approve", ACTION["id"], "--arguments", "[1]")
    assert (said.code, "JSON object" in said.err) == (1, True)
    assert gateway.asked == []


GRANT: dict[str, Any] = {
    "id": "88888888-8888-4888-8888-888888888888",
    "job_name": "Report",
    "agent_name": "clerk",
    "agent_revision": 2,
    "tool_name": "http_request",
    "arguments": {"url": {"match": "exact", "value": "https://example.org"}, "body": {"match": "any"}},
    "other_arguments": "any",
    "state": "void",
    "reason": "The prompt of the job was changed.",
    "uses": 2,
    "max_uses": 5,
    "note": "",
    "expires_at": "2026-12-22T12:00:00Z",
}


def test_a_call_is_approved_for_good(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("GET", PATH, ACTION)
    gateway.answer("POST", f"{PATH}/approve", {**ACTION, "status": "approved"})
    approve = ("approvals", "approve", ACTION["id"])
    assert rota(*approve, "--always").code == 0
    assert gateway.asked[-1][3] == {"note": "", "grant": {}}
    assert rota(*approve, "--fix", "url", "--days", "7", "--uses", "5").code == 0
    assert gateway.asked[-1][3]["grant"] == {
        "arguments": {"url": {"match": "exact", "value": "https://example.org"}},
        "other_arguments": "any",
        "expires_in_days": 7,
        "max_uses": 5,
    }
    said = rota(*approve, "--fix", "method")
    assert (said.code, "no argument 'method'" in said.err) == (1, True)


def test_grants_are_listed_with_what_became_of_them_and_revoked(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/grants", GRANT)
    said = rota("grants", "list")
    assert said.code == 0, said.err
    for text in ('"url":"https://example.org"', "and any others", "2 of 5", "void", "was changed"):
        assert text in said.out
    gateway.answer("DELETE", f"/grants/{GRANT['id']}", None)
    assert rota("grants", "revoke", GRANT["id"]).out == f"revoked grant {GRANT['id']}\n"


def test_a_grant_is_given_before_anything_asked(gateway: Gateway, rota: Rota) -> None:
    gateway.answer("POST", "/grants", GRANT)
    job = "99999999-9999-4999-8999-999999999999"
    said = rota(
        "grants", "add", job, "http_request", "--arguments", '{"url": "https://b.org"}', "--uses", "1"
    )
    assert said.code == 0, said.err
    assert gateway.asked[-1][3] == {
        "job_id": job,
        "tool_name": "http_request",
        "arguments": {"url": {"match": "exact", "value": "https://b.org"}},
        "other_arguments": "none",
        "note": "",
        "max_uses": 1,
    }


EFFECT: dict[str, Any] = {
    "id": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
    "run_id": ACTION["run_id"],
    "job_name": "Report",
    "tool_name": "http_request",
    "arguments": {"url": "https://example.org"},
    "state": "started",
    "decision": None,
    "note": "",
    "started_at": "2026-11-22T12:00:00Z",
}


def test_a_call_that_was_interrupted_is_listed_and_decided_upon(gateway: Gateway, rota: Rota) -> None:
    gateway.items("/effects", EFFECT)
    said = rota("effects", "list")
    assert gateway.asked[-1][2]["is_open"] == "true"
    for text in (EFFECT["id"], "https://example.org", "started"):
        assert text in said.out
    for word in ("confirm", "repeat"):
        gateway.answer("POST", f"/effects/{EFFECT['id']}/{word}", {**EFFECT, "decision": f"{word}ed"})
        assert rota("effects", word, EFFECT["id"], "--note", "seen").code == 0
        assert gateway.asked[-1][3] == {"note": "seen"}
    assert rota("effects", "repeat", "it").code == 1


def test_a_dry_run_shows_what_would_become_of_each_call_and_grants_it(gateway: Gateway, rota: Rota) -> None:
    job = "99999999-9999-4999-8999-999999999999"
    asking = {"tool_name": "http_request", "arguments": {"url": "https://b.org"}, "policy": "ask"}
    reading = {"tool_name": "clock", "arguments": {}, "policy": "auto"}
    about = {"effect": "write", "is_granted": False, "is_made": False}
    run: dict[str, Any] = {
        "run_id": ACTION["run_id"],
        "status": "success",
        "completed_at": "2026-11-22T12:00:00Z",
        "result_content": "All done.",
        "error_message": None,
        "rehearsed_calls": [
            {**about, **asking},
            {**about, **asking},
            {**about, **asking, "is_granted": True},
            {**about, **reading},
            {**about, **reading, "policy": "deny"},
        ],
    }
    gateway.answer("POST", f"/jobs/{job}/dry-run", {"run_id": run["run_id"]})
    gateway.answer("GET", f"/runs/{run['run_id']}", run)
    said = rota("jobs", "dry-run", job)
    assert said.code == 0, said.err
    for text in ("https://b.org", "ask", "run, by a grant", "be refused", "All done."):
        assert text in said.out
    gateway.answer("POST", "/grants", GRANT)
    said = rota("jobs", "dry-run", job, "--grant")
    assert said.out.count("granted http_request") == 1
    assert gateway.asked[-1][3]["arguments"] == {"url": {"match": "exact", "value": "https://b.org"}}
