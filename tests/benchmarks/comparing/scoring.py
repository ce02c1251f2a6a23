"""What a monitor knew, set against what truly happened."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.benchmarks.comparing.knowing import Knowledge, Run
from tests.benchmarks.comparing.situations import Situation
from tests.benchmarks.machine import quantile
from tmcwatch.simulator.execution import OPEN_TASK_STATES

OPEN_STATES = OPEN_TASK_STATES | {"STARTED"}
RUNNING_STATES = frozenset({"STARTING_FLOW_EXECUTION", "STARTED"})
MISFIRED = "EXECUTION_MISFIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The stretch whose transitions count, within one play of a situation."""

    watched_from: datetime
    start: datetime
    end: datetime
    calm_at: datetime
    """When the trouble ended."""

    @classmethod
    def of(cls, situation: Situation, watched_from: datetime) -> "Measured":
        start = watched_from + situation.settles
        return cls(
            watched_from=watched_from,
            start=start,
            end=start + situation.measured,
            calm_at=start + situation.trouble,
        )

    def holds(self, moment: datetime) -> bool:
        return self.start < moment <= self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One execution as it truly was."""

    run: Run
    triggered_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one monitor did. An end or start is missed if it was never known."""

    name: str
    requests_per_minute: float
    most_requests_in_a_minute: int
    ends: int
    ends_missed: int
    older_missed: int
    """Ends that were missed of runs that had been triggered before the watch began."""
    starts: int
    starts_missed: int
    delays: tuple[float, ...]
    """Seconds from each end that was not missed to when it was known, in order."""
    caught_up_after: float
    """Seconds from the end of the trouble until every end from before it was known, but those
    that were missed."""

    def delay(self, share: float) -> float:
        return quantile(self.delays, share) if self.delays else float("nan")


def lives_of(truth: Iterable[Mapping[str, Any]]) -> list[Life]:
    """Answer with the executions that the simulator's truth is about."""
    changes: dict[Run, list[Mapping[str, Any]]] = {}
    for change in truth:
        changes.setdefault((change["kind"], change["execution_id"]), []).append(change)
    return [_life(run, life) for run, life in changes.items()]


def score(
    name: str,
    knowledge: Knowledge,
    asked: Sequence[datetime],
    *,
    truth: Iterable[Mapping[str, Any]],
    measured: Measured,
) -> Score:
    """Score one monitor by its knowledge and by what it asked."""
    lives = lives_of(truth)
    due = [(life, at) for life in lives if (at := life.ended_at) and measured.holds(at)]
    missed = [life for life, _ in due if life.run not in knowledge.ended]
    older = [life for life in missed if life.triggered_at < measured.watched_from]
    starts = [life.run for life in lives if (at := life.started_at) and measured.holds(at)]
    known = [(at, knowledge.ended[life.run]) for life, at in due if life.run in knowledge.ended]
    troubled = [seen for at, seen in known if at <= measured.calm_at]
    counted = [moment for moment in asked if measured.holds(moment)]
    return Score(
        name=name,
        requests_per_minute=len(counted) / _minutes(measured.end - measured.start),
        most_requests_in_a_minute=most_within(counted, timedelta(minutes=1)),
        ends=len(due),
        ends_missed=len(missed) - len(older),
        older_missed=len(older),
        starts=len(starts),
        starts_missed=sum(run not in knowledge.started for run in starts),
        delays=tuple(sorted((seen - at).total_seconds() for at, seen in known)),
        caught_up_after=max(
            (max(troubled, default=measured.calm_at) - measured.calm_at).total_seconds(), 0.0
        ),
    )


def most_within(moments: Sequence[datetime], span: timedelta) -> int:
    """Answer with the most moments, given in order, that any stretch so long holds."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - span:
            first += 1
        most = max(most, last - first + 1)
    return most


def _life(run: Run, changes: Sequence[Mapping[str, Any]]) -> Life:
    last = changes[-1]
    misfired = last["execution_status"] == MISFIRED
    running = (one["at"] for one in changes if one["execution_status"] in RUNNING_STATES)
    return Life(
        run=run,
        triggered_at=changes[0]["at"],
        started_at=None if misfired else next(running, None),
        ended_at=None if last["execution_status"] in OPEN_STATES else last["at"],
    )


def _minutes(span: timedelta) -> float:
    return span / timedelta(minutes=1)
