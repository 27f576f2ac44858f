"""When schedules fire: what is understood of cron expressions, intervals and time zones."""

import re
from calendar import monthrange
from functools import cache
from zoneinfo import available_timezones

MIN_INTERVAL_SECONDS = 60
MAX_INTERVAL_SECONDS = 366 * 24 * 3600

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES = {
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "day of the week": {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))},
}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
_MACROS = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
_PART = re.compile(r"^(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]{1,4}))?$")
_INTERVAL = re.compile(r"^(?:@every\s+)?(?=\S)(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s?)?$")
_A_LEAP_YEAR = 2028


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def check_zone(name: str) -> str:
    """Return the name of a time zone, or raise `ValueError`."""
    if name not in _zones():
        raise ValueError("is no time zone that is known; name one such as Europe/Berlin or UTC")
    return name


def check_interval(expression: str) -> None:
    """Raise `ValueError` unless it is an interval such as `15m`, `@every 1h30m` or `3600`, of a minute to a year."""
    match = _INTERVAL.match(expression.strip().lower())
    if match is None:
        raise ValueError("is no interval; write it like 15m, 1h30m or 3600 (seconds)")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    length = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not MIN_INTERVAL_SECONDS <= length <= MAX_INTERVAL_SECONDS:
        raise ValueError("must be an interval of a minute to a year")


def check_cron(expression: str) -> None:
    """Raise `ValueError` unless it is a cron expression of five fields, or a macro, that comes due at some time."""
    text = expression.strip().lower()
    if text in _MACROS:
        return
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError("must have five fields: minute, hour, day, month, day of the week")
    found = [_values(field, *about) for field, about in zip(fields, _FIELDS, strict=True)]
    days, months, any_weekday = found[2], found[3], fields[4].startswith("*")
    if any_weekday and not any(min(days) <= monthrange(_A_LEAP_YEAR, month)[1] for month in months):
        raise ValueError("never comes due: no month that it names has such a day")


def _values(field: str, name: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.match(part)
        if match is None:
            raise ValueError(f"can't be read: the field for the {name} is not understood")
        found |= _range(*match.groups(), name=name, low=low, high=high)
    return found


def _range(first: str, last: str | None, step: str | None, *, name: str, low: int, high: int) -> set[int]:
    if first == "*":
        start, end = low, high
    else:
        start = _number(first, name)
        end = _number(last, name) if last else (high if step else start)
    if (first == "*" and last) or not low <= start <= end <= high or step == "0" or (step and int(step) < 1):
        raise ValueError(f"can't be read: the {name} must be from {low} to {high}")
    return set(range(start, end + 1, int(step or 1)))


def _number(text: str, name: str) -> int:
    named = _NAMES.get(name, {})
    if text in named:
        return named[text]
    if not text.isdigit() or len(text) > 2:
        raise ValueError(f"can't be read: the field for the {name} is not understood")
    return int(text)
