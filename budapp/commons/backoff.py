"""How long to wait before the next try."""

import random
from datetime import timedelta

MAX_PAUSE_SECONDS = 300


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: twice as long each time, up to a limit, never quite the same."""
    seconds = min(2.0 ** min(attempts, 16), MAX_PAUSE_SECONDS)
    return timedelta(seconds=seconds * random.uniform(0.5, 1))  # noqa: S311 - jitter
