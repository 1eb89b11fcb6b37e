"""What budgets have left: reserved before each call to a model, settled after, each in one statement."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from rota_executor.budgets import Share, Standing
from rota_executor.repository.attempts import AttemptKey
from rota_store import Database, Row

# The rows of the periods are locked, in one order, before they are judged: nobody reserves beside it what it
# has found to be left. Either every budget has room, or nothing is reserved.
RESERVE = """
    WITH wanted AS (
        SELECT w.budget_id, w.period_start, w.is_exempt, b.tokens_limit, b.cost_limit, b.policy, b.fallback_model
        FROM unnest(CAST(:budgets AS uuid[]), CAST(:starts AS timestamptz[]), CAST(:exempt AS boolean[]))
            AS w (budget_id, period_start, is_exempt)
        JOIN budgets b ON b.id = ANY (ARRAY[w.budget_id])
    ), locked AS MATERIALIZED (
        SELECT p.budget_id, p.period_start, p.used_tokens, p.used_cost, p.reserved_tokens, p.reserved_cost
        FROM budget_periods p
        JOIN wanted w ON p.budget_id = ANY (ARRAY[w.budget_id]) AND p.period_start = w.period_start
        ORDER BY p.budget_id, p.period_start FOR UPDATE OF p
    ), judged AS MATERIALIZED (
        SELECT w.budget_id, w.policy, w.fallback_model, w.tokens_limit, w.cost_limit, l.used_tokens, l.used_cost,
               l.budget_id IS NOT NULL AS is_open,
               NOT w.is_exempt AND coalesce(coalesce(l.used_tokens, 0) + CAST(:tokens AS bigint) > w.tokens_limit
                   OR coalesce(l.used_cost, 0) + CAST(:cost AS numeric) > w.cost_limit, false) AS is_exhausted,
               NOT w.is_exempt AND coalesce(l.used_tokens + l.reserved_tokens + CAST(:tokens AS bigint) > w.tokens_limit
                   OR l.used_cost + l.reserved_cost + CAST(:cost AS numeric) > w.cost_limit, false) AS is_held
        FROM wanted w LEFT JOIN locked l ON l.budget_id = w.budget_id
    ), granted AS (
        SELECT bool_and(is_open AND NOT is_exhausted AND NOT is_held) AS yes FROM judged
    ), counted AS (
        UPDATE budget_periods p
        SET reserved_tokens = l.reserved_tokens + CAST(:tokens AS bigint), reserved_cost = l.reserved_cost + CAST(:cost AS numeric)
        FROM locked l, granted g
        WHERE g.yes AND p.budget_id = ANY (ARRAY[l.budget_id]) AND p.period_start = l.period_start
    ), kept AS (
        INSERT INTO budget_reservations (id, budget_id, period_start, run_id, attempt, tokens, cost)
        SELECT CAST(:id AS uuid), l.budget_id, l.period_start, :run_id, :attempt, CAST(:tokens AS bigint), CAST(:cost AS numeric)
        FROM locked l, granted g WHERE g.yes
    )
    SELECT * FROM judged
"""
OPEN = """
    INSERT INTO budget_periods (budget_id, period_start, context_id)
    SELECT b.id, w.period_start, b.context_id
    FROM unnest(CAST(:budgets AS uuid[]), CAST(:starts AS timestamptz[])) AS w (budget_id, period_start)
    JOIN budgets b ON b.id = ANY (ARRAY[w.budget_id])
    ORDER BY b.id ON CONFLICT DO NOTHING
"""

SETTLE = """
    WITH gone AS MATERIALIZED (
        DELETE FROM budget_reservations WHERE id = :id RETURNING budget_id, period_start, tokens, cost
    ), locked AS MATERIALIZED (
        SELECT p.budget_id, p.period_start FROM budget_periods p
        JOIN gone g ON p.budget_id = ANY (ARRAY[g.budget_id]) AND p.period_start = g.period_start
        ORDER BY p.budget_id, p.period_start FOR UPDATE OF p
    ), settled AS (
        UPDATE budget_periods p
        SET reserved_tokens = p.reserved_tokens - g.tokens, reserved_cost = p.reserved_cost - g.cost,
            used_tokens = p.used_tokens + CAST(:tokens AS bigint), used_cost = p.used_cost + CAST(:cost AS numeric)
        FROM locked l JOIN gone g ON g.budget_id = l.budget_id
        WHERE p.budget_id = ANY (ARRAY[l.budget_id]) AND p.period_start = l.period_start
        RETURNING p.budget_id, p.period_start, p.used_tokens, p.used_cost, p.warned_at
    )
    SELECT b.id AS budget_id, b.policy, b.fallback_model, b.tokens_limit, b.cost_limit, s.used_tokens, s.used_cost,
           s.period_start
    FROM settled s JOIN budgets b ON b.id = ANY (ARRAY[s.budget_id]) WHERE s.warned_at IS NULL
"""

# The id follows from budget and period: told once, whoever finds it out.
WARN = """
    WITH warned AS (
        UPDATE budget_periods SET warned_at = clock_timestamp()
        WHERE budget_id = :budget_id AND period_start = :period_start AND warned_at IS NULL
        RETURNING context_id
    )
    INSERT INTO notification_requests (id, context_id, job_id, run_id, title, body)
    SELECT :id, context_id, :job_id, :run_id, :title, :body FROM warned
    ON CONFLICT DO NOTHING RETURNING id
"""

# Of attempts that have ended what is left over was reserved twice; of one whose executor is gone nobody knows
# what its last call took, so that the whole share counts.
FREE = """
    WITH gone AS MATERIALIZED (
        DELETE FROM budget_reservations r WHERE NOT EXISTS (
            SELECT 1 FROM run_attempts a JOIN executors e ON e.id = a.executor
            WHERE a.run_id = ANY (ARRAY[r.run_id]) AND a.attempt = r.attempt AND a.state || '' = 'running'
              AND e.ended_at IS NULL AND e.lease_until > clock_timestamp())
        RETURNING r.budget_id, r.period_start, r.tokens, r.cost, EXISTS (
            SELECT 1 FROM run_attempts a
            WHERE a.run_id = ANY (ARRAY[r.run_id]) AND a.attempt = r.attempt AND a.state || '' = 'running') AS is_unknown
    ), sums AS MATERIALIZED (
        SELECT budget_id, period_start, sum(tokens) AS tokens, sum(cost) AS cost,
               coalesce(sum(tokens) FILTER (WHERE is_unknown), 0) AS taken_tokens,
               coalesce(sum(cost) FILTER (WHERE is_unknown), 0) AS taken_cost
        FROM gone GROUP BY 1, 2
    ), locked AS MATERIALIZED (
        SELECT p.budget_id, p.period_start FROM budget_periods p
        JOIN sums s ON p.budget_id = ANY (ARRAY[s.budget_id]) AND p.period_start = s.period_start
        ORDER BY p.budget_id, p.period_start FOR UPDATE OF p
    ), freed AS (
        UPDATE budget_periods p
        SET reserved_tokens = p.reserved_tokens - s.tokens, reserved_cost = p.reserved_cost - s.cost,
            used_tokens = p.used_tokens + s.taken_tokens, used_cost = p.used_cost + s.taken_cost
        FROM locked l JOIN sums s ON s.budget_id = l.budget_id AND s.period_start = l.period_start
        WHERE p.budget_id = ANY (ARRAY[l.budget_id]) AND p.period_start = l.period_start
    )
    SELECT count(*) FROM gone
"""


class Notice(NamedTuple):
    """What people are told of a budget in one of its periods; which run was the occasion."""

    id: UUID
    budget_id: UUID
    period_start: datetime
    job_id: UUID
    run_id: UUID
    title: str
    body: str


class BudgetsRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self,
        reservation_id: UUID,
        key: AttemptKey,
        periods: Sequence[tuple[UUID, datetime, bool]],
        share: Share,
    ) -> list[Standing]:
        """Reserves a share of every budget, or of none; how each stands. A budget that is gone is left out.

        `periods` are budgets with the begin of their period, and whether they are counted without limit.
        """
        values = {**_columns(periods), "exempt": [one[2] for one in periods], "id": reservation_id}
        rows = await self._database.fetch(RESERVE, {**values, **key._asdict(), **share._asdict()})
        return [
            _standing(row, is_open=row.is_open, is_exhausted=row.is_exhausted, is_held=row.is_held)
            for row in rows
        ]

    async def open(self, periods: Sequence[tuple[UUID, datetime, bool]]) -> None:
        """Begins periods that nobody has begun."""
        await self._database.execute(OPEN, _columns(periods))

    async def settle(self, reservation_id: UUID, share: Share) -> list[tuple[Standing, datetime]]:
        """Puts what a call took in the place of what it had reserved; the budgets nobody was warned of yet."""
        rows = await self._database.fetch(SETTLE, {"id": reservation_id, **share._asdict()})
        return [(_standing(row), row.period_start) for row in rows]

    async def warn(self, notice: Notice) -> bool:
        """Whether it is told now; not when it has been."""
        return bool(await self._database.fetch(WARN, notice._asdict()))

    async def free(self) -> int:
        """Gives back what attempts had reserved that do not go on; how many reservations."""
        rows = await self._database.fetch(FREE)
        return int(rows[0][0])


def _columns(periods: Sequence[tuple[UUID, datetime, bool]]) -> dict[str, Any]:
    return {"budgets": [one[0] for one in periods], "starts": [one[1] for one in periods]}


def _standing(
    row: Row, *, is_open: bool = True, is_exhausted: bool = False, is_held: bool = False
) -> Standing:
    cost: Decimal | None = row.used_cost
    return Standing(
        budget_id=row.budget_id,
        policy=row.policy,
        fallback_model=row.fallback_model,
        tokens_limit=row.tokens_limit,
        cost_limit=row.cost_limit,
        used_tokens=row.used_tokens,
        used_cost=cost,
        is_open=is_open,
        is_exhausted=is_exhausted,
        is_held=is_held,
    )
