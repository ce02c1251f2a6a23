"""Cron expressions as people write them, and what is wrong with one that never fits."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, pairwise
from typing import Annotated

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator

from tmcwatch.config.problems import wrong

_FIELDS = 5
_FROM = datetime(2024, 1, 1, tzinfo=UTC)
"""The year before a leap day, so that every date comes soon."""
_MOST_TRIED = 2_000
"""More than the minutes of a day: what leaves no room in these leaves none."""


def _cron(value: str) -> str:
    allowed = "five fields of cron, such as 0 2 * * 6 (minute, hour, day, month, day of the week)"
    is_plain = value.isascii() and len(value.split()) == _FIELDS
    if not is_plain or next(_moments(value), None) is None:
        raise wrong(value, allowed)
    return value


def is_endless(cron: str, duration: timedelta) -> bool:
    """Tell whether every window lasts until the next one begins, by a clock that none changes.

    What is no expression is not: that is told of otherwise.
    """
    pairs = pairwise(islice(_moments(cron), _MOST_TRIED))
    first = next(pairs, None)
    if first is None:
        return False
    return all(after - before <= duration for before, after in chain([first], pairs))


def _moments(cron: str) -> Iterator[datetime]:
    """Give the moments of an expression; none where it is none."""
    with suppress(CronSimError, OverflowError):
        yield from CronSim(cron, _FROM)


Cron = Annotated[str, AfterValidator(_cron)]
