"""The sentence for a schedule says what it does, neither more nor less."""

from datetime import datetime

import pytest

from rota_schedule import parse


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("* * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("0,30 * * * *", "Every 30 minutes"),
        ("5/15 * * * *", "Every 15 minutes, starting at 5 minutes past the hour"),
        ("0 * * * *", "Every hour"),
        ("*/70 * * * *", "Every hour"),
        ("59/15 * * * *", "At 59 minutes past the hour"),
        ("*/7 * * * *", "Every 7 minutes, minutes 0 through 56 past the hour"),
        ("*/15,3 * * * *", "At 0, 3, 15, 30, and 45 minutes past the hour"),
        ("0 */2 * * *", "Every 2 hours"),
        ("0 9-17/2 * * *", "Every 2 hours, between 09:00 and 17:59, every day"),
        ("0 22-2 * * *", "At 00:00, 01:00, 02:00, 22:00 and 23:00, every day"),
        ("0-10 11 * * *", "Every minute between 11:00 and 11:10, every day"),
        ("0 9 * * *", "At 09:00, every day"),
        ("00 09 * * 1-7", "At 09:00, every day"),
        ("0 9 * * mon-fri", "At 09:00, on Monday through Friday"),
        ("0 9 * * 6,0", "At 09:00, on Saturday and Sunday"),
        ("0 9 * * 0,7", "At 09:00, on Sunday"),
        ("0 9 * * fri-sun", "At 09:00, on Friday through Sunday"),
        ("0 9 1 * *", "At 09:00, on day 1 of the month"),
        ("0 9 1,15,L * *", "At 09:00, on day 1, 15 and the last day of the month"),
        ("0 9 L * *", "At 09:00, on the last day of the month"),
        ("0 9 10-L * *", "At 09:00, on day 10 through 31 of the month"),
        ("0 9 15W * *", "At 09:00, on the weekday nearest to day 15 of the month"),
        ("0 9 * * L5", "At 09:00, on the last Friday of the month"),
        ("0 9 * * 5#2,mon#1", "At 09:00, on the first Monday and the second Friday of the month"),
        ("0 9 13 * 5", "At 09:00, on day 13 of the month or on Friday"),
        ("0 9 */10 * 5", "At 09:00, on day 1, 11, 21 and 31 of the month, if that is Friday"),
        ("0 9 1-31 * 5", "At 09:00, every day"),
        ("0 9 * 1-3,6 *", "At 09:00, in January through March and June"),
        ("0 9 29 2 *", "At 09:00, on day 29 of the month, in February"),
        ("0,1 0 1 1 *", "At 0 and 1 minutes past the hour, at 00:00, on day 1 of the month, in January"),
        ("* * * * * *", "Every second"),
        ("*/30 * * * * *", "Every 30 seconds"),
        ("0 0 9 * * *", "At 09:00, every day"),
        ("30 0 9 * * *", "At 09:00:30, every day"),
        ("@daily", "At 00:00, every day"),
        ("@WEEKLY", "At 00:00, on Sunday"),
        ("@every 90s", "Every 1 minute 30 seconds, counted from 1970-01-01 01:00"),
        ("@every 1d", "Every day, counted from 1970-01-01 01:00"),
        ("@every 36h", "Every 1 day 12 hours, counted from 1970-01-01 01:00"),
        ("@at 2027-01-31T09:00", "Once at 2027-01-31 09:00"),
        ("@at 2027-01-31T09:00:05Z", "Once at 2027-01-31 10:00:05"),
        ("@daily; 0 12 * * 6; @every 2w", None),
    ],
)
def test_an_expression_is_said_in_words(expression: str, sentence: str | None) -> None:
    several = "At 00:00, every day; at 12:00, on Saturday; every 2 weeks, counted from 1970-01-01 01:00"
    schedule = parse(expression, "Europe/Berlin", seconds_field=True)
    assert schedule.describe() == f"{sentence or several} (Europe/Berlin)"


def test_the_bounds_and_the_anchor_are_told_in_local_time() -> None:
    start, end = (datetime.fromisoformat(text) for text in ("2026-07-01T08:00Z", "2026-12-01T08:00:30Z"))
    schedule = parse("@every 1h", "Europe/Berlin", start_at=start, end_at=end)
    assert schedule.describe() == (
        "Every hour, counted from 2026-07-01 10:00 (Europe/Berlin),"
        " from 2026-07-01 10:00, until 2026-12-01 09:00:30"
    )


def test_a_moment_that_comes_twice_is_said_once() -> None:
    schedule = parse("@at 2026-10-25T02:30", "Europe/Berlin", dst_repeat="both")
    assert schedule.describe() == "Both times that it is 2026-10-25 02:30 (Europe/Berlin)"
