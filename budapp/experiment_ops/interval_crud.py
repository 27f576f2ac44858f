"""The expressions by which PostgreSQL works out how certain scores are; `statistics` says by which methods."""

from typing import Any

from sqlalchemy import Float, Numeric, case, cast, func, literal_column, null, true

_Z = "1.959963984540054"


def wilson(percent: Any, samples: Any, is_proportion: Any) -> tuple[Any, Any]:
    """Return the limits for a score in percent; null where it is no share, or the number of questions is not known."""
    z = literal_column(_Z, Float)
    share, n = cast(percent, Float) / 100, cast(samples, Float)
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z * func.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    known = is_proportion & (samples > 0) & percent.between(0, 100)
    return (
        case((known, 100 * func.greatest(middle - half, 0)), else_=null()),
        case((known, 100 * func.least(middle + half, 100)), else_=null()),
    )


def mean_limits(score: Any, lower: Any, upper: Any, where: Any = None) -> tuple[Any, Any, Any]:
    """Return the mean of the group's scores, and its limits; these are null where one of the group has none.

    Args:
        score: the column with the scores.
        lower: the one with their lower limits.
        upper: the one with their upper limits.
        where: which of the group count; all by default.
    """
    counts = true() if where is None else where
    value, number = cast(score, Float), func.count().filter(counts)
    mean = func.avg(value).filter(counts)
    known = func.count(lower).filter(counts) == number
    down, up = (
        func.sqrt(func.sum((value - limit) * (value - limit)).filter(counts)) / func.nullif(number, 0)
        for limit in (lower, upper)
    )
    return mean, case((known, mean - down), else_=null()), case((known, mean + up), else_=null())


def difference_limits(better: tuple[Any, Any, Any], worse: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Return how much better one score is than another, and the limits of that; each is a score with its limits."""
    (one, one_low, one_high), (other, other_low, other_high) = better, worse
    found = one - other
    down = func.sqrt((one - one_low) * (one - one_low) + (other_high - other) * (other_high - other))
    up = func.sqrt((one_high - one) * (one_high - one) + (other - other_low) * (other - other_low))
    return found, found - down, found + up


def rounded(value: Any) -> Any:
    """Return it with two digits behind the point."""
    return func.round(cast(value, Numeric), 2)
