"""The gateway of the integration tests, and a real browser."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.integration.gateway.conftest import other, person, served

__all__ = ["browser", "other", "person", "served"]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The system's chromium; skips without one."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine")
    async with async_playwright() as playwright:
        # Root may not use the sandbox; the pages are our own.
        chromium = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        await chromium.close()
