"""Repetition: whether a rule that wants several runs has them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tmcwatch.domain.execution import ExecutionId, Phase, Transition, Trigger
from tmcwatch.domain.rule import After, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run that ended, as far as rules ask for it. Times are TMC's."""

    execution: ExecutionId
    phase: Phase
    at: datetime
    trigger: Trigger
    reason: str | None = None
    engine: str | None = None


def run_of(transition: Transition, engine: str | None) -> Run:
    return Run(
        execution=transition.execution,
        phase=transition.phase,
        at=transition.at,
        trigger=transition.trigger,
        reason=transition.reason,
        engine=engine,
    )


def repeated(
    rule: Rule,
    this: Run,
    others: Iterable[Run],
    *,
    since: datetime | None,
    counts: Callable[[Run], bool],
) -> tuple[Run, ...]:
    """Answer with the runs that fulfil a rule together with `this`, in order; none if too few.

    `others` are those that were decided on before, `since` is from when on they count, and
    `counts` tells whether the rule is about a run. One found late completes what later ones began.
    """
    known = {run.execution: run for run in others if since is None or run.at >= since}
    runs = sorted((known | {this.execution: this}).values(), key=_order)
    matching = [run for run in runs if counts(run)]
    if this not in matching:
        return ()
    row = _in_a_row(this, matching, [run for run in runs if run.phase is Phase.SUCCEEDED])
    if len(row) < rule.in_a_row:
        return ()
    return row if rule.after is None else _within(this, matching, rule.after)


def _order(run: Run) -> tuple[datetime, bool, str]:
    # A success outdoes a failure of the same moment, as it does everywhere.
    return run.at, run.phase is Phase.SUCCEEDED, run.execution


def _in_a_row(this: Run, matching: Sequence[Run], successes: Iterable[Run]) -> tuple[Run, ...]:
    moments = [success.at for success in successes]
    last = max((moment for moment in moments if moment < this.at), default=None)
    following = min((moment for moment in moments if moment >= this.at), default=None)
    return tuple(
        run
        for run in matching
        if (last is None or run.at > last) and (following is None or run.at <= following)
    )


def _within(this: Run, matching: Sequence[Run], after: After) -> tuple[Run, ...]:
    """Answer with the first stretch that `this` is in and that has enough."""
    for latest in matching:
        if this.at <= latest.at < this.at + after.within:
            begin = latest.at - after.within
            stretch = tuple(run for run in matching if begin < run.at <= latest.at)
            if len(stretch) >= after.count:
                return stretch
    return ()
