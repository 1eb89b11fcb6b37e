"""Pure schedule arithmetic: what a cron expression in a time zone means, instant by instant."""

from rota_schedule.cron import Schedule, parse
from rota_schedule.errors import ScheduleError

__all__ = ["Schedule", "ScheduleError", "parse"]
