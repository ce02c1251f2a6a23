"""Whose turn it is: the most urgent purpose, accounts in turn, the earliest deadline first."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tmcwatch.domain.budget import Purpose

PRIORITIES: Mapping[Purpose, int] = {purpose: rank for rank, purpose in enumerate(Purpose)}

BEATS: Mapping[Purpose, int] = {
    Purpose.HEAD: 1,
    Purpose.ENDS: 2,
    Purpose.DETAIL: 3,
    Purpose.NAMES: 12,
    Purpose.BACKFILL: 30,
    Purpose.AUDIT: 90,
}
"""Within how many beats each purpose is to have its turn."""

OVERDUE_EVERY = 5
"""One turn in so many goes to what has waited longest beyond its deadline, whatever its purpose:
enough that nothing starves, little enough that the head of the lists stays fresh."""


def patience(purpose: Purpose, beat: timedelta) -> float:
    """Answer with the seconds within which a question is to have its turn."""
    return BEATS[purpose] * beat.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A question that waits for its turn. Deadlines are seconds of a monotonic clock."""

    purpose: Purpose
    account: Hashable
    """Whom it is for: accounts take turns."""
    deadline: float
    number: int
    """Grows with each question, and tells them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Who had how many turns, as far as that decides who comes next.

    The turns of each purpose are counted as in fair queueing: an account begins where the others
    are, so that silence saves up nothing and a crowd of questions gains nothing.
    """

    count: int = 0
    """Since one had to go by urgency alone."""
    begun: Mapping[Purpose, float] = field(default_factory=dict)
    """Up to where each purpose is served."""
    had: Mapping[tuple[Purpose, Hashable], float] = field(default_factory=dict)
    """Up to where each account is, if that is beyond the others."""

    def turn_of(self, waiting: Waiting) -> float:
        begun = self.begun.get(waiting.purpose, 0.0)
        return max(begun, self.had.get((waiting.purpose, waiting.account), 0.0))


def next_turn(line: Iterable[Waiting], turns: Turns, *, at: float) -> tuple[Waiting, Turns] | None:
    """Answer with whose turn it is, and the turns after it; None where nobody waits."""
    waiting = list(line)
    chosen = _overdue(waiting, turns, at) or _most_urgent(waiting, turns)
    return None if chosen is None else (chosen, _after(turns, chosen, waiting))


def by_urgency(turns: Turns) -> Turns:
    """Answer with the turns where the next goes to the most urgent, whatever is overdue."""
    return replace(turns, count=0)


def _overdue(line: Iterable[Waiting], turns: Turns, at: float) -> Waiting | None:
    if (turns.count + 1) % OVERDUE_EVERY:
        return None
    overdue = (each for each in line if each.deadline <= at)
    return min(overdue, key=lambda each: (each.deadline, each.number), default=None)


def _most_urgent(line: Iterable[Waiting], turns: Turns) -> Waiting | None:
    return min(
        line,
        key=lambda each: (
            PRIORITIES[each.purpose],
            turns.turn_of(each),
            each.deadline,
            each.number,
        ),
        default=None,
    )


def _after(turns: Turns, served: Waiting, line: Iterable[Waiting]) -> Turns:
    purpose = served.purpose
    # What is overdue may come before its turn: the others are not moved on by that.
    begun = min(turns.turn_of(each) for each in line if each.purpose is purpose)
    had = {**turns.had, (purpose, served.account): turns.turn_of(served) + 1}
    return replace(
        turns,
        count=turns.count + 1,
        begun={**turns.begun, purpose: begun},
        # Whoever is not ahead of the others begins where they are.
        had={who: upto for who, upto in had.items() if who[0] is not purpose or upto > begun},
    )
