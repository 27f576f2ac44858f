"""When the schedules of budpipeline's stand-in come due."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: str(number) for number, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: str(number) for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}
_DAYS_AHEAD = 366 * 8


def seconds_of(interval: str) -> int:
    """Return the length of an interval such as `@every 1h30m`, or raise `ValueError`."""
    text = interval.strip().lower().removeprefix("@every").strip()
    if not re.fullmatch(r"(\d+[dhms]?)+", text):
        raise ValueError(f"Not an interval: {interval}")
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms]?)", text))


def next_due(expression: str, zone: str, after: datetime) -> datetime | None:
    """Return when a cron expression comes due after a moment, or raise `ValueError`."""
    expression = _MACROS.get(expression.strip().lower(), expression)
    parts = expression.lower().split()
    if len(parts) != len(_LIMITS):
        raise ValueError(f"Not a cron expression: {expression}")
    minutes, hours, days, months, weekdays = (
        _values(part, low, high) for part, (low, high) in zip(parts, _LIMITS, strict=True)
    )
    either = not parts[2].startswith("*") and not parts[4].startswith("*")
    here = after.astimezone(ZoneInfo(zone))
    day = here.date()
    for _ in range(_DAYS_AHEAD):
        on_weekday, on_day = day.isoweekday() % 7 in {number % 7 for number in weekdays}, day.day in days
        if day.month in months and (on_weekday or on_day if either else on_weekday and on_day):
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)
                    if due > after:
                        return due
        day += timedelta(days=1)
    return None


def _values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for name, number in {**_MONTHS, **_DAYS}.items() if high in {12, 7} else ():
        field = field.replace(name, number)
    for part in field.split(","):
        reach, _, step = part.partition("/")
        first, _, last = reach.partition("-")
        start = low if first == "*" else int(first)
        end = int(last) if last else (high if first == "*" or step else start)
        if not low <= start <= end <= high:
            raise ValueError(f"Out of range: {part}")
        found |= set(range(start, end + 1, int(step or 1)))
    return found
