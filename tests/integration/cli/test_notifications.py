"""`rota notifications` against a real HTTP server that speaks as the gateway does."""

from tests.integration.cli.test_client import RUN, Gateway, Rota, gateway, rota

__all__ = ["gateway", "rota"]  # fixtures


def test_notifications_are_listed_and_marked_as_read(gateway: Gateway, rota: Rota) -> None:
    notification = {
        "id": RUN,
        "title": "look around succeeded",
        "body": "All is well.",
        "is_read": False,
        "created_at": "2026-11-21T12:00:05Z",
    }
    gateway.items("/notifications", notification)
    gateway.answer("POST", f"/notifications/{RUN}/read", None, status=204)
    gateway.answer("POST", "/notifications/read-all", None, status=204)
    assert "look around succeeded" in rota("notifications", "list").out
    assert rota("notifications", "read", RUN).code == 0
    assert rota("notifications", "read", "--all").code == 0
    assert rota("notifications", "read").code == 2
    assert [asked[1] for asked in gateway.asked[1:]] == [
        f"/notifications/{RUN}/read",
        "/notifications/read-all",
    ]
