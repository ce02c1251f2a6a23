"""What is said of a bad end besides what broke: how it compares with the usual."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert
from tmcwatch.domain.execution import Transition
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.spoken import span
from tmcwatch.domain.standing import Standing
from tmcwatch.domain.usual import PastRun, usual_run_time

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What is remembered of the task or plan that ended badly, and of others."""

    engine: str | None
    started_at: datetime | None
    standing: Standing
    runs: Sequence[PastRun]
    """Its runs that ended, newest first."""
    same_error: int
    """How many others failed with the same text within the hour."""


def described(alert: Alert, transition: Transition, background: Background) -> Alert:
    """Answer with the alert and what the background of its newest bad end adds."""
    standing = background.standing
    success = standing.last_success_at
    texts = {
        "last_success": moment_text(success) if success and success < transition.at else None,
        "failures_in_a_row": str(standing.consecutive_failures or ""),
        "run_time": _run_time(transition, background),
        "same_error": _same_error(transition, background.same_error),
        "engine": background.engine,
    }
    added = {name: text for name, text in texts.items() if text}
    return replace(alert, annotations={**alert.annotations, **added})


def took(length: timedelta) -> str:
    """Say how long a run took: those of less than a minute in seconds."""
    if length < _MINUTE:
        return f"{max(length, timedelta()) // timedelta(seconds=1)} s"
    return span(length)


def _run_time(transition: Transition, background: Background) -> str | None:
    if background.started_at is None:
        return None
    now = took(transition.at - background.started_at)
    usual = usual_run_time(background.runs)
    return now if usual is None else f"{now}, usually {took(usual)}"


def _same_error(transition: Transition, others: int) -> str | None:
    if not others:
        return None
    what = transition.kind.value if others == 1 else f"{transition.kind.value}s"
    return f"{others:,} other {what} failed with the same text within the hour"
