"""The settle lag: how long after it happened a row may still become visible, as learned."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from tmcwatch.domain.execution import Row
from tmcwatch.domain.window import Window

QUANTILE = 0.995
"""One late row in two hundred is left to the second pass: a tail must not hold up everything."""

SAMPLES = 1_000
"""How many of the newest rows the quantile is taken of."""

LOWERED_TO = 0.9
"""A lag that shrank is followed slowly, once per full set of samples."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadRead:
    """What a head read that succeeded leaves for the next one to measure by."""

    window: Window
    """What it read whole: of several pages only the stretch that had settled."""
    asked_at: datetime
    """TMC's time when it was asked."""
    ids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Between what the lag is believed: from the config."""

    floor: timedelta
    ceiling: timedelta

    def clamped(self, lag: timedelta) -> timedelta:
        return min(max(lag, self.floor), self.ceiling)


def lags(rows: Iterable[Row], *, before: HeadRead, asked_at: datetime) -> Iterator[timedelta]:
    """Give how late each row of a head read is that the read before ought to have shown.

    Nothing is given of rows triggered since, nor of those that the read before may have had no
    right to: it covered their trigger, and they had begun by then. A row that it did show was
    punctual. The true lag lies between the two reads: at the least the row was late by the time
    from its trigger to the read before. Twice that is taken, but never more than the time to this
    read, or a slow beat would be taken for a slow TMC.
    """
    for row in rows:
        covered_to = min(before.window.end, before.asked_at)
        if not before.window.start <= row.triggered_at <= covered_to:
            continue
        if row.id in before.ids:
            yield timedelta()
        elif row.started_at is None or row.started_at <= covered_to:
            least = before.asked_at - row.triggered_at
            yield min(2 * least + _SECOND, asked_at - row.triggered_at)


def settle_lag(
    current: timedelta, samples: Sequence[timedelta], bounds: Bounds, *, is_full: bool
) -> timedelta:
    """Answer with the lag to work with: raised at once, lowered slowly, in whole seconds.

    `is_full` tells that the samples have all been renewed since the lag was lowered last.
    """
    if not samples:
        return bounds.clamped(current)
    ordered = sorted(samples)
    high = ordered[min(int(QUANTILE * len(ordered)), len(ordered) - 1)]
    if high <= current and not is_full:
        return bounds.clamped(current)
    wanted = max(high, current * LOWERED_TO) if high < current else high
    return bounds.clamped(ceil(wanted / _SECOND) * _SECOND)


def widened(current: timedelta, bounds: Bounds) -> timedelta:
    """Answer with the lag after a row was found that had come later than the lag allows for."""
    return bounds.clamped(2 * current)
