"""How long chosen tasks and plans run, asked of the store a few at a time, and kept."""

from dataclasses import dataclass, field
from datetime import datetime

from tmcwatch.domain.choosing import Choice
from tmcwatch.domain.snapshot import Place, SubjectState
from tmcwatch.domain.usual import RunTimes, run_times
from tmcwatch.store.engine import Connection
from tmcwatch.store.recent import past_runs

MOST_READ = 100
"""Tasks and plans whose runs one scrape reads; the others are told as they were read before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    times: RunTimes
    last_completion_at: datetime | None
    """Of the task or plan when it was read: another one says that it ran since."""
    read_at: datetime


@dataclass(slots=True)
class KeptRunTimes:
    """Of what is chosen: first is read what ran since, then what was read longest ago."""

    _kept: dict[Place, _Kept] = field(default_factory=dict)

    def read(
        self,
        connection: Connection,
        choice: Choice,
        subjects: tuple[SubjectState, ...],
        now: datetime,
    ) -> dict[Place, RunTimes]:
        """Answer with the run times of what is chosen, as far as they were read by now."""
        chosen = choice.among(subjects)
        # A copy, as another scrape may read on another thread: the last one to be done is kept.
        kept = {one.place: self._kept[one.place] for one in chosen if one.place in self._kept}
        for one in sorted(chosen, key=lambda one: _urgency(one, kept.get(one.place)))[:MOST_READ]:
            kept[one.place] = _Kept(
                times=run_times(past_runs(connection, *one.place)),
                last_completion_at=one.last_completion_at,
                read_at=now,
            )
        self._kept = kept
        return {place: one.times for place, one in kept.items()}


def _urgency(one: SubjectState, kept: _Kept | None) -> tuple[bool, float]:
    if kept is None:
        return False, 0.0
    return kept.last_completion_at == one.last_completion_at, kept.read_at.timestamp()
