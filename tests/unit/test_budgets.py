"""Budgets, purely: where days and months begin, and what becomes of a call that has no room."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from rota_contracts.budgets import Period, period_end, period_start
from rota_executor.budgets import Budget, Share, Standing, is_short, refusal, verdict, warning


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOW = at("2026-11-22T09:30")
BUDGET = UUID("0b9f2c1e-6f0a-4a53-9c52-0d5a6a1f0001")


@pytest.mark.parametrize(
    ("period", "instant", "start", "end"),
    [
        ("day", "2026-11-22T00:00", "2026-11-22", "2026-11-23"),
        ("day", "2026-11-22T23:59:59.999999", "2026-11-22", "2026-11-23"),
        ("day", "2026-12-31T23:00", "2026-12-31", "2027-01-01"),
        ("day", "2028-02-28T12:00", "2028-02-28", "2028-02-29"),
        ("month", "2026-11-30T23:59", "2026-11-01", "2026-12-01"),
        ("month", "2026-12-01T00:00", "2026-12-01", "2027-01-01"),
        ("month", "2026-02-01T00:00", "2026-02-01", "2026-03-01"),
        ("month", "2026-01-31T00:00", "2026-01-01", "2026-02-01"),
    ],
)
def test_a_period_is_a_day_or_a_month_of_utc(period: Period, instant: str, start: str, end: str) -> None:
    assert period_start(period, at(instant)) == at(start)
    assert period_end(period, at(start)) == at(end)


def test_it_is_the_day_of_utc_wherever_the_instant_is_told() -> None:
    tokyo, honolulu = timezone(timedelta(hours=9)), timezone(timedelta(hours=-10))
    assert period_start("day", datetime(2026, 11, 22, 8, 59, tzinfo=tokyo)) == at("2026-11-21")
    assert period_start("month", datetime(2026, 11, 30, 14, 0, tzinfo=honolulu)) == at("2026-12-01")


def test_each_period_begins_where_the_one_before_ends() -> None:
    kinds: tuple[Period, ...] = ("day", "month")
    for period in kinds:
        start = at("2027-01-01")
        for _ in range(40):
            end = period_end(period, start)
            assert period_start(period, end) == end
            assert period_start(period, end - timedelta(microseconds=1)) == start
            start = end


def standing(**changes: Any) -> Standing:
    values: dict[str, Any] = {
        "budget_id": uuid4(),
        "policy": "stop",
        "fallback_model": None,
        "tokens_limit": 1000,
        "cost_limit": None,
        "used_tokens": 0,
        "used_cost": Decimal(0),
        "is_open": True,
        "is_exhausted": False,
        "is_held": False,
    }
    return Standing(**(values | changes))


def test_a_call_is_made_where_every_budget_has_room_and_no_other_way() -> None:
    free, held = standing(), standing(is_held=True)
    spent = standing(is_held=True, is_exhausted=True)
    new = standing(is_open=False)
    assert verdict([]) == ("granted", None)
    assert verdict([free, free]) == ("granted", None)
    assert verdict([free, held]) == ("wait", held)
    assert verdict([held, new]) == ("open", None)
    assert verdict([held, new, spent]) == ("refused", spent)


def test_of_several_that_are_used_up_the_strictest_counts() -> None:
    fallback = standing(is_exhausted=True, policy="fallback")
    pause = standing(is_exhausted=True, policy="pause")
    stop = standing(is_exhausted=True)
    assert verdict([fallback, pause, stop])[1] is stop
    assert verdict([fallback, pause])[1] is pause
    assert verdict([fallback])[1] is fallback


def test_a_refusal_names_the_limit_what_is_left_and_where_to_raise_it() -> None:
    budget = Budget(id=BUDGET, period="month", agent_name="Briefer", tokens_limit=1000)
    said = refusal(budget, standing(used_tokens=900), Share(300, Decimal(0)), NOW)
    assert said == (
        "The budget of 1,000 tokens a month for the agent 'Briefer' is used up: 900 are spent, and the "
        "next call may take 300. The next month begins at 2026-12-01 00:00 UTC; to go on before, raise the "
        f"budget {BUDGET} (rota budgets update)."
    )
    dear = standing(tokens_limit=None, cost_limit=Decimal(2), used_cost=Decimal("1.99"))
    said = refusal(Budget(id=BUDGET, period="day"), dear, Share(300, Decimal("0.02")), NOW)
    assert "budget of $2.00 a day for the context is used up: $1.99 are spent" in said
    assert "may take $0.02. The next day begins at 2026-11-23 00:00 UTC" in said


@pytest.mark.parametrize(
    ("used", "cost", "short"),
    [(799, "0", False), (800, "0", True), (0, "1.59", False), (0, "1.60", True), (2000, "9", True)],
)
def test_people_are_told_at_eighty_percent_of_either(used: int, cost: str, short: bool) -> None:
    found = standing(used_tokens=used, cost_limit=Decimal(2), used_cost=Decimal(cost))
    assert is_short(found) is short


def test_a_warning_says_how_much_of_what_and_what_comes_then() -> None:
    budget = Budget(id=BUDGET, period="day", job_id=uuid4())
    found = standing(used_tokens=812, policy="fallback", fallback_model="local:small")
    title, body = warning(budget, found, NOW)
    assert title == "80 % of a budget is used"
    assert body == (
        "812 of 1,000 tokens are used of what the job may spend in this day, until 2026-11-23 00:00 UTC. "
        "Runs then go on with local:small."
    )
