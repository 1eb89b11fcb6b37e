"""Firing with the ledger written a moment before the instant, so that only the saying is left to do at it."""

import asyncio
import time
from datetime import timedelta

from rota_ticker import metrics
from rota_ticker.desk import DISPATCH_GRACE, Desk
from rota_ticker.domain.jobs import Standing
from rota_ticker.domain.placing import first_attempt, placed
from rota_ticker.domain.planning import foreseen
from rota_ticker.news import News
from rota_ticker.repository import admission, ledger, timers

# Enough for a transaction on a busy machine, too short for a person to change their mind in.
AHEAD = timedelta(milliseconds=15)
# The loop's timers go by whole milliseconds: the last ones are waited for awake.
AWAKE_SECONDS = 0.002
NOBODY = Standing()


class LookingAhead(Desk):
    async def fire_ahead(self) -> int:
        """Enters what is due in a moment and cannot turn out otherwise, says it at its instant; how many.

        What has no room at once, waits for others or is left out is decided upon when the instant has come.
        """
        news = News()
        async with self._database.transaction() as connection:
            soon = await timers.soon(connection, self._batch_size, AHEAD)
            if not soon:
                return 0
            standings = await ledger.standings(connection, [one.job.id for one in soon])
            decisions = [
                decision for one in soon if (decision := foreseen(*one, standings.get(one.job.id, NOBODY)))
            ]
            rows = {decision.plan.job_id: decision.occurrences[0] for decision in decisions}
            rooms, now = await admission.rooms(connection, {row.context_id for row in rows.values()})
            if now is None:
                return 0
            instant = soon[0].now
            until = time.monotonic() + (instant - now).total_seconds()
            going = placed(list(rows.values()), rooms, standings, instant)
            plans = [decision.plan for decision in decisions if rows[decision.plan.job_id].run_id in going]
            if not plans:
                return 0
            first = [rows[plan.job_id] for plan in plans]
            entered = await ledger.enter(connection, first, going, DISPATCH_GRACE, plans)
        news.jobs = {one.job.id: one.job for one in soon}
        news.entered = [row for row in first if row.run_id in entered]
        news.runs = [first_attempt(row) for row in news.entered]
        await _wait_until(until)
        metrics.LATENESS.observe(max(0.0, time.monotonic() - until))
        await self._tell(news)
        return len(first)


async def _wait_until(moment: float) -> None:
    """Until that moment of the monotonic clock."""
    await asyncio.sleep(moment - AWAKE_SECONDS - time.monotonic())
    while time.monotonic() < moment:  # noqa: ASYNC110
        await asyncio.sleep(0)
