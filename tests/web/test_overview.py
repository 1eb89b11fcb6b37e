"""The page in a real browser: it works, it is live, and it works without JavaScript."""

import re
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect

from tests.integration.gateway.conftest import Person, Served
from tests.integration.gateway.test_tenants import a_run
from tests.support.world import World


async def opened(
    served: Served, person: Person, browser: Browser, **options: Any
) -> tuple[BrowserContext, Page]:
    """The overview in a browser that signed in by a link."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    await page.goto((await person.post("/sign-in-links"))["url"])
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(f"{served.url}/")
    if options.get("java_script_enabled", True):  # before that a click is a plain form
        await expect(page.locator("#connection")).to_have_text("live")
    return context, page


def is_problem(message: ConsoleMessage) -> bool:
    """Not that a click takes the place of a renewal under way, which htmx tells as ended and aborted."""
    expected = ("htmx:afterRequest,", "htmx:sendAbort,")
    return message.type == "error" and not message.text.startswith(expected)


async def test_the_overview_is_live_in_a_real_browser(
    served: Served, person: Person, world: World, browser: Browser
) -> None:
    problems: list[str] = []
    context, page = await opened(served, person, browser)
    page.on("console", lambda message: problems.append(message.text) if is_problem(message) else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    await expect(page.locator("#connection")).to_have_text("live")
    await expect(page.get_by_text("No jobs yet.")).to_be_visible()

    tenant = await person.context("Home")
    job = await person.job(tenant)
    row = page.get_by_role("row", name=re.compile("Morning briefing"))
    await expect(row).to_contain_text("30 7 * * 1-5")
    await expect(row.locator("time").first).not_to_contain_text("UTC")

    await row.get_by_role("button", name="Pause").click()
    await expect(row).to_contain_text("paused")
    await expect(row.get_by_role("button", name="Run now")).to_be_disabled()
    await row.get_by_role("button", name="Enable").click()
    await expect(row).to_contain_text("active")
    await row.get_by_role("button", name="Run now").click()
    said = page.get_by_text("The run is on its way.")
    await expect(said).to_be_visible()
    assert await world.value("SELECT count(*) FROM run_requests WHERE job_id = :id", id=UUID(job["id"])) == 1

    await a_run(world, tenant, job["id"])
    await served.gateway.hub.on_message(f"result.recorded.{tenant}.{job['id']}", b"")
    result = page.locator("details.result")
    await expect(result).to_have_count(1)
    await expect(said).to_be_visible()
    await result.locator("summary").click()
    await expect(result.locator("pre")).to_have_text("The <b>answer</b>")
    await served.gateway.hub.on_message(f"notification.sent.{tenant}", b"")
    await expect(page.locator("#bell summary")).to_contain_text("1 unread")
    await page.locator("#bell summary").click()
    await page.get_by_role("button", name="Mark all as read").click()
    await expect(page.locator("#bell summary")).to_contain_text("0 unread")
    # Both stayed unfolded while the page renewed itself.
    await expect(result.locator("pre")).to_be_visible()

    await world.sql(
        "INSERT INTO job_statistics (job_id, context_id, last_run_status) "
        "SELECT id, context_id, 'error' FROM scheduled_jobs WHERE id = :id",
        id=UUID(job["id"]),
    )
    await served.gateway.hub.on_message(f"result.recorded.{tenant}.{job['id']}", b"")
    await expect(page).to_have_title("(1 in error) Rota")
    await expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-trouble"))
    assert problems == []
    await context.close()


async def test_the_overview_works_without_javascript(
    served: Served, person: Person, world: World, browser: Browser
) -> None:
    job = await person.job(await person.context())
    context, page = await opened(served, person, browser, java_script_enabled=False)
    row = page.get_by_role("row", name=re.compile("Morning briefing"))
    await expect(row.locator("time").first).to_contain_text("UTC")
    await row.get_by_role("button", name="Pause").click()
    await expect(row).to_contain_text("paused")
    assert (await person.get(f"/jobs/{job['id']}"))["is_enabled"] is False
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("API key")).to_be_visible()
    await context.close()


async def test_a_renewal_does_not_swallow_the_answer_to_a_click(
    served: Served, person: Person, browser: Browser
) -> None:
    tenant = await person.context()
    job = await person.job(tenant)
    context, page = await opened(served, person, browser)
    await expect(page.locator("#connection")).to_have_text("live")

    async def hinted(route: Route) -> None:
        """The answer to the click is held back until after a renewal was asked for."""
        answer = await route.fetch()
        await page.evaluate("htmx.trigger('#overview', 'refresh')")
        await route.fulfill(response=answer)

    await page.route(f"**/jobs/{job['id']}/run", hinted)
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_text("The run is on its way.")).to_be_visible()
    await context.close()


@pytest.mark.parametrize("width", [1280, 390])
async def test_nothing_sticks_out_of_the_page(
    served: Served, person: Person, world: World, browser: Browser, width: int
) -> None:
    tenant = await person.context("A context with a rather long name")
    job = await person.job(tenant, name="n" * 255)
    await a_run(world, tenant, job["id"])
    await world.sql("UPDATE agent_execution_results SET job_name = :name", name="n" * 255)
    context, page = await opened(served, person, browser, viewport={"width": width, "height": 800})
    overhang = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overhang == 0
    await context.close()


async def test_a_refusal_is_told_on_the_page(
    served: Served, person: Person, other: Person, world: World, browser: Browser
) -> None:
    tenant = await person.context()
    await person.job(tenant)
    await other.joins(tenant, "editor")
    context, page = await opened(served, other, browser)
    await world.sql("UPDATE memberships SET role = 'viewer' WHERE user_id = :id", id=other.id)
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_role("alert")).to_contain_text("Your role")
    await expect(page.get_by_role("button", name="Run now")).to_be_visible()
    await context.close()


async def test_a_viewer_is_shown_no_buttons_that_would_be_refused(
    served: Served, person: Person, other: Person, browser: Browser
) -> None:
    tenant = await person.context()
    await person.job(tenant)
    await other.joins(tenant, "viewer")
    context, page = await opened(served, other, browser)
    row = page.get_by_role("row", name=re.compile("Morning briefing"))
    await expect(row).to_contain_text("read only")
    await expect(row.get_by_role("button")).to_have_count(0)
    await context.close()
