"""What an attempt takes from its budgets: reserved before each call to a model, settled after."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID, uuid4, uuid5
from weakref import WeakValueDictionary

from rota_chassis import logs
from rota_contracts.budgets import period_start
from rota_contracts.events import Event, NotificationRequested
from rota_executor.attempt import Attempt
from rota_executor.budgets import Budget, Share, Standing, Verdict, is_short, refusal, verdict, warning
from rota_executor.errors import LimitReachedError
from rota_executor.repository.budgets import BudgetsRepository, Notice
from rota_store import is_transient

log = logs.logger(__name__)

# While others' calls hold what is left.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
RETRY_SECONDS = 0.5
NOTHING = Share(0, Decimal(0))


class Asked(NamedTuple):
    """What became of a request for a share, because of which budget; the id is that of the reservation."""

    found: Verdict
    standing: Standing | None
    reservation: UUID


class Budgets:
    """Of all runs of this executor."""

    def __init__(self, repository: BudgetsRepository, hint: Callable[[Event], Awaitable[None]]) -> None:
        self.repository = repository
        self._hint = hint
        self._queues: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._settling: set[asyncio.Task[None]] = set()

    def queue(self, budget_id: UUID) -> asyncio.Lock:
        """Of those who wait for a budget one asks, the others wait for that one."""
        return self._queues.setdefault(budget_id, asyncio.Lock())

    async def free(self) -> int:
        """Gives back what attempts of any executor had reserved that do not go on; how many reservations."""
        freed = await self.repository.free()
        if freed:
            log.warning("reservations were freed", action="reservations_freed", reservations=freed)
        return freed

    async def settle(self, settling: Awaitable[None]) -> None:
        """Sees it through, also when the run is stopped meanwhile."""
        task = asyncio.ensure_future(settling)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.shield(task)

    async def tell(self, notice: Notice, context_id: UUID) -> None:
        """Once for each budget and period, whoever finds that little is left."""
        if await self.repository.warn(notice):
            log.warning("little of a budget is left", action="budget_short", budget_id=str(notice.budget_id))
            await self._hint(
                NotificationRequested(
                    context_id=context_id,
                    job_id=notice.job_id,
                    run_id=notice.run_id,
                    notification_id=notice.id,
                )
            )


class Spending:
    """Of one attempt."""

    def __init__(self, budgets: Budgets, attempt: Attempt, concerning: Sequence[Budget]) -> None:
        self._all = budgets
        self._attempt = attempt
        self.budgets = {budget.id: budget for budget in concerning}
        # Used up, and the run goes on with another model: they count without limit.
        self._exempt: set[UUID] = set()
        self.fallback: str | None = None

    async def reserve(self, share: Share) -> UUID | None:
        """Before a call: the reservation; None when the call is to be made to `fallback` instead.

        Waits while only calls that go on are in the way.

        Raises:
            LimitReachedError: a budget is used up, and its policy lets the run go no further.

        """
        found, standing, reservation = await self._asked(share)
        while found == "wait" and standing is not None:
            async with self._all.queue(standing.budget_id):
                found, standing, reservation = await self._waited(share, standing.budget_id)
        if standing is None:
            return reservation
        self._give_way(standing, share)
        return None

    async def settle(self, reservation: UUID, taken: Share) -> None:
        """After the call; one of which nothing is known takes all that it had reserved."""
        await self._all.settle(self._settled(reservation, taken))

    async def _waited(self, share: Share, budget_id: UUID) -> Asked:
        """Until that budget is not in the way any more."""
        pause = FIRST_PAUSE
        while True:
            asked = await self._asked(share)
            if asked.found != "wait" or asked.standing is None or asked.standing.budget_id != budget_id:
                return asked
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _asked(self, share: Share) -> Asked:
        """Waits while PostgreSQL is away; what a lost answer had reserved is freed with the attempt."""
        repository = self._all.repository
        while True:
            periods = [
                (one.id, period_start(one.period, self._now()), one.id in self._exempt)
                for one in self.budgets.values()
            ]
            reservation = uuid4()
            try:
                standings = await repository.reserve(reservation, self._attempt.key, periods, share)
                found, standing = verdict(standings)
                if found != "open":
                    return Asked(found, standing, reservation)
                await repository.open(periods)
                continue
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("a call waits for its share", action="reserve_waits", error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)

    def _give_way(self, standing: Standing, share: Share) -> None:
        budget = self.budgets[standing.budget_id]
        log.info(
            "a budget is used up",
            action="budget_exhausted",
            budget_id=str(budget.id),
            policy=standing.policy,
        )
        if standing.policy == "fallback":
            self._exempt.add(budget.id)
            self.fallback = standing.fallback_model
            return
        if standing.policy == "pause":
            self._attempt.record.exhausted_budget = budget.id
        raise LimitReachedError(refusal(budget, standing, share, self._now()))

    async def _settled(self, reservation: UUID, taken: Share) -> None:
        """Waits while PostgreSQL is away: as long as the attempt goes on, nobody frees the reservation."""
        while True:
            try:
                found = await self._all.repository.settle(reservation, taken)
                break
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("a call is not settled yet", action="settle_waits", error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)
        for standing, start in found:
            if is_short(standing):
                title, body = warning(self.budgets[standing.budget_id], standing, self._now())
                event = self._attempt.event
                await self._all.tell(
                    Notice(
                        uuid5(standing.budget_id, f"short/{start.isoformat()}"),
                        standing.budget_id,
                        start,
                        event.job_id,
                        event.run_id,
                        title,
                        body,
                    ),
                    event.context_id,
                )

    def _now(self) -> datetime:
        """By PostgreSQL's clock, as of the claim."""
        gone = asyncio.get_running_loop().time() - self._attempt.claimed
        return self._attempt.started_at + timedelta(seconds=gone)
