"""The client's stand-in for a gateway, for every test of a command."""

from tests.integration.cli.test_client import gateway, rota

__all__ = ["gateway", "rota"]
