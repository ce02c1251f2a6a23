"""What to change, at the least, for a watch to fit into its budget."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil

from tmcwatch.domain.budget import CEILINGS, Family
from tmcwatch.domain.fitting import ALMOST_NOTHING, Use, short_of, turns_of
from tmcwatch.domain.planning import MINUTE, demand
from tmcwatch.domain.window import Reading

LONGEST_BEAT = 3_600.0
LONGEST_NAMES = 86_400.0
HUNDREDTHS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Either of two ways to make a plan fit. Spans are in seconds."""

    beat: float | None = None
    """Together with `names_every`; None where it may stay, or where no beat helps."""
    names_every: float | None = None
    share: float | None = None
    """None where even all that TMC allows is too little."""

    @property
    def can_slow_down(self) -> bool:
        return self.beat is not None or self.names_every is not None


def fits(use: Use) -> bool:
    """Tell whether a plan holds however TMC reads windows."""
    return not _too_much(use)


def advice(use: Use) -> Advice:
    """Answer with the least changes that make a plan fit which does not."""
    missing = _too_much(use)
    slower = use.watching
    if Family.PROCESSING in missing:
        beat = _least(_beats(use), lambda one: Family.PROCESSING not in _too_much(one))
        slower = beat.watching if beat else slower
    if Family.ORCHESTRATION in missing:
        names = _least(_names(use), lambda one: Family.ORCHESTRATION not in _too_much(one))
        every = names.watching.names_every if names else slower.names_every
        slower = replace(slower, names_every=every)
    helps = fits(replace(use, watching=slower))
    return Advice(
        beat=slower.beat if helps and slower.beat != use.watching.beat else None,
        names_every=slower.names_every
        if helps and slower.names_every != use.watching.names_every
        else None,
        share=_least_share(use),
    )


def heads_of(use: Use) -> float:
    """Answer with the requests a minute that the heads alone take, at one page each."""
    return len(use.lists) * MINUTE / use.watching.beat


def heads_fit(use: Use) -> bool:
    return heads_of(use) <= use.granted(Family.PROCESSING) + ALMOST_NOTHING


def least_for_heads(use: Use) -> Advice:
    """Answer with the least beat and the least share at which the heads alone fit."""
    beat = len(use.lists) * MINUTE / use.granted(Family.PROCESSING)
    share = heads_of(use) / CEILINGS[Family.PROCESSING]
    least = ceil(share * HUNDREDTHS - ALMOST_NOTHING) / HUNDREDTHS
    whole = float(ceil(beat - ALMOST_NOTHING))
    return Advice(
        beat=whole if whole <= LONGEST_BEAT else None, share=least if least <= 1 else None
    )


def spans(longer_than: float, longest: float) -> Iterator[float]:
    """Give the spans that a person would set: whole seconds, the longer the rounder."""
    for begin, end, step in ((1, 60, 1), (60, 600, 5), (600, 3_600, 60), (3_600, 86_400, 600)):
        for span in range(begin, end, step):
            if longer_than < span < longest:
                yield float(span)
    if longer_than < longest:
        yield longest


def _too_much(use: Use) -> frozenset[Family]:
    """Answer with the families of which too much is wanted, every open run read at each look."""
    found: frozenset[Family] = frozenset()
    for reading in Reading:
        found |= short_of(use, demand(use.loads, use.watching, reading, use.habits))
        if turns_of(use, reading) > 1:
            found |= {Family.PROCESSING}
    return found


def _least(uses: Iterator[Use], is_enough: Callable[[Use], bool]) -> Use | None:
    return next((use for use in uses if is_enough(use)), None)


def _beats(use: Use) -> Iterator[Use]:
    for beat in spans(use.watching.beat, LONGEST_BEAT):
        yield replace(use, watching=replace(use.watching, beat=beat))


def _names(use: Use) -> Iterator[Use]:
    for every in spans(use.watching.names_every, LONGEST_NAMES):
        yield replace(use, watching=replace(use.watching, names_every=every))


def _least_share(use: Use) -> float | None:
    first = int(use.share * HUNDREDTHS + ALMOST_NOTHING) + 1
    shares = (replace(use, share=n / HUNDREDTHS) for n in range(first, HUNDREDTHS + 1))
    found = _least(shares, fits)
    return found.share if found else None
