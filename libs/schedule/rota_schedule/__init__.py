"""Pure schedule arithmetic: what a schedule in a time zone means, instant by instant."""

from rota_schedule.errors import ScheduleError
from rota_schedule.jitter import effective
from rota_schedule.preview import Upcoming, preview
from rota_schedule.schedule import Schedule, check, parse
from rota_schedule.span import Span

__all__ = ["Schedule", "ScheduleError", "Span", "Upcoming", "check", "effective", "parse", "preview"]
