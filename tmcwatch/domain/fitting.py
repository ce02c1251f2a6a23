"""Whether what a watch asks for fits into what its budget grants, and what delay that buys."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from tmcwatch.domain.budget import CEILINGS, Family, Purpose, burst
from tmcwatch.domain.planning import (
    MINUTE,
    AccountLoad,
    Demand,
    Habits,
    ListLoad,
    Watching,
    demand,
    head_requests,
    history_requests,
    refreshes,
)
from tmcwatch.domain.window import Reading

FULL = 0.9
"""A plan may take so much of what is granted: the rest is for bursts and for reading again."""

ANSWER = 0.2
"""Seconds that TMC is taken to need for an answer."""

ALMOST_NOTHING = 1e-9  # sums of floats may end a hair off


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """All that draws on one budget, and how."""

    loads: tuple[AccountLoad, ...]
    watching: Watching
    share: float
    """Of TMC's ceilings."""
    habits: Habits

    @property
    def lists(self) -> tuple[ListLoad, ...]:
        return tuple(one for load in self.loads for one in load.lists)

    @property
    def most_refreshes(self) -> float:
        """How many requests one look at each list may spend on open runs, all lists together."""
        granted = self.granted(Family.PROCESSING) / MINUTE * self.watching.beat
        return granted * self.habits.stretch * self.habits.refresh_share

    def granted(self, family: Family) -> float:
        """Answer with the requests a minute that the share grants."""
        return CEILINGS[family] * self.share


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long it takes until something is known, in seconds, while TMC answers."""

    median: float
    """From the end of a run to its being stored."""
    most: float
    proven: float
    """At most, from any moment to the proof that nothing of it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a budget is used for where TMC reads the windows of its lists in one way."""

    reading: Reading
    demand: Demand
    """As it will be asked: what cannot be refreshed within a beat waits for its turn."""
    short: frozenset[Family]
    """The families whose grant does not suffice."""
    turns: int
    """Beats until the open runs of each list have all been read again."""
    delay: Delay
    history: float
    """Requests that the history takes, once."""
    history_minutes: float | None
    """How long that takes besides; None where nothing is left for it."""

    @property
    def fits(self) -> bool:
        return not self.short and self.turns == 1

    def of(self, family: Family) -> Mapping[Purpose, float]:
        """Answer with the requests a minute of one family."""
        return {purpose: n for (one, purpose), n in self.demand.items() if one is family}

    def total(self, family: Family) -> float:
        return sum(self.of(family).values())


def plan_of(use: Use, reading: Reading) -> Plan:
    """Answer with the plan of a budget, and whether it holds."""
    planned = dict(demand(use.loads, use.watching, reading, use.habits))
    postponed = max(wanted_refreshes(use, reading) - use.most_refreshes, 0.0)
    if postponed:
        planned[Family.PROCESSING, Purpose.ENDS] -= postponed * MINUTE / use.watching.beat
    left = use.granted(Family.PROCESSING) - _total(planned, Family.PROCESSING)
    history = history_requests(use.loads, use.watching, reading, use.habits)
    turns = turns_of(use, reading)
    return Plan(
        reading=reading,
        demand=_stretched(use, planned, reading),
        short=short_of(use, planned),
        turns=turns,
        delay=_delay(use, reading, turns),
        history=history,
        history_minutes=history / left if left > 0 else None,
    )


def _stretched(use: Use, planned: Demand, reading: Reading) -> Demand:
    """Answer with what is asked where looks take longer than a beat: the next one waits."""
    lasting = _requests(use, reading) * MINUTE / use.granted(Family.PROCESSING)
    factor = use.watching.beat / max(use.watching.beat, lasting, _look(use, reading))
    by_beat = {(Family.PROCESSING, Purpose.HEAD), (Family.PROCESSING, Purpose.ENDS)}
    return {what: n * factor if what in by_beat else n for what, n in planned.items()}


def short_of(use: Use, planned: Demand) -> frozenset[Family]:
    """Answer with the families that a plan asks too much of."""
    families = {family for family, _ in planned}
    return frozenset(
        family
        for family in families
        if _total(planned, family) > FULL * use.granted(family) + ALMOST_NOTHING
    )


def wanted_refreshes(use: Use, reading: Reading) -> float:
    """Answer with the requests at each look if the open runs of all lists are read."""
    return sum(refreshes(one, use.watching, reading, use.habits) for one in use.lists)


def turns_of(use: Use, reading: Reading) -> int:
    """Answer with the beats until all open runs have been read again."""
    wanted = wanted_refreshes(use, reading)
    return max(1, ceil(wanted / use.most_refreshes - ALMOST_NOTHING))


def _delay(use: Use, reading: Reading, turns: int) -> Delay:
    """Answer with what one beat costs in time: the wait for it, and the look itself."""
    look = _look(use, reading)
    # A look that takes longer than a beat is not made up for.
    beat = max(use.watching.beat, look)
    return Delay(
        median=(beat * turns + look) / 2,
        most=beat * turns + look,
        proven=beat + look + use.watching.settle,
    )


def _look(use: Use, reading: Reading) -> float:
    """Answer with the seconds that a look at each list takes.

    All lists look at the same time, and each asks one request after the other.
    """
    granted = use.granted(Family.PROCESSING)
    paced = (_requests(use, reading) - burst(granted / MINUTE)) * MINUTE / granted
    return max(paced, ANSWER * _requests(use, reading) / max(len(use.lists), 1))


def _requests(use: Use, reading: Reading) -> float:
    """Answer with the requests of one look at each list."""
    heads = sum(head_requests(one, use.watching, reading) for one in use.lists)
    return heads + min(wanted_refreshes(use, reading), use.most_refreshes)


def _total(planned: Demand, family: Family) -> float:
    return sum(number for (one, _), number in planned.items() if one is family)
