"""Muting: which alerts of a group are not to be told at a moment, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tmcwatch.domain.alert import Alert, AlertId, Status
from tmcwatch.domain.built_in import SILENCE_ENDING
from tmcwatch.domain.grouping import Member
from tmcwatch.domain.inhibition import Causes, occurred_at
from tmcwatch.domain.interval import TimeInterval
from tmcwatch.domain.maintenance import MaintenanceWindow
from tmcwatch.domain.routing import Route
from tmcwatch.domain.silence import Silence

Intervals = Mapping[str, Sequence[TimeInterval]]
"""By name; a moment is in one if any of its parts includes it."""


class Suppression(StrEnum):
    """Why a receiver is not told of an alert on its own, as metrics name it."""

    INTERVAL = "interval"
    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    INHIBITION = "inhibition"
    STORM = "storm"
    """Only a summary speaks of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Muting:
    """All that may mute at a moment, gathered once for every group that is due."""

    at: datetime
    intervals: Intervals = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    """Those that hold, and those that did a while ago."""
    windows: tuple[MaintenanceWindow, ...] = ()
    """Those that it is in, and those that were over a while ago."""
    causes: Causes = field(default_factory=Causes)


def muted_in(muting: Muting, route: Route, members: Iterable[Member]) -> Mapping[AlertId, str]:
    """Answer with the members of a group of `route` that are not to be told, and why.

    What was over before it was told is judged by the moment of its end: what began and ended in
    one silence is not told because the group was looked at only after it.
    """
    is_timed = route.muted_in or route.active_in
    if not (is_timed or muting.silences or muting.windows or muting.causes.found):
        return {}
    reasons = (
        (member.alert.id, _reason(muting, route, member, _moment(muting, member)))
        for member in members
    )
    return {id_: reason for id_, reason in reasons if reason is not None}


def suppression_of(reason: str) -> Suppression:
    """Answer with the kind of a reason that `muted_in` gave."""
    return _SUPPRESSIONS[reason.split(" ", 1)[0]]


def _moment(muting: Muting, member: Member) -> datetime:
    is_past = member.alert.status is Status.RESOLVED and member.told is None
    return member.alert.changed_at if is_past else muting.at


def _reason(muting: Muting, route: Route, member: Member, moment: datetime) -> str | None:
    alert = member.alert
    return (
        _shut(muting.intervals, route, moment)
        or _silenced(muting.silences, alert, moment)
        or _maintained(muting.windows, alert, moment)
        or _inhibited(muting.causes, member, moment)
    )


def _shut(intervals: Intervals, route: Route, moment: datetime) -> str | None:
    for name in route.muted_in:
        if _is_in(intervals, name, moment):
            return f"interval {name}"
    if not route.active_in or any(_is_in(intervals, name, moment) for name in route.active_in):
        return None
    return f"outside {', '.join(route.active_in)}"


def _is_in(intervals: Intervals, name: str, moment: datetime) -> bool:
    return any(interval.includes(moment) for interval in intervals[name])


def _silenced(silences: Iterable[Silence], alert: Alert, moment: datetime) -> str | None:
    for silence in silences:
        # A silence must not swallow the word that it is about to end.
        is_about_it = alert.rule == SILENCE_ENDING and alert.labels["id"] == silence.id
        if not is_about_it and silence.mutes(alert.labels, moment):
            return f"silence {silence.id}"
    return None


def _maintained(
    windows: Iterable[MaintenanceWindow], alert: Alert, moment: datetime
) -> str | None:
    for window in windows:
        if window.mutes(alert.labels, occurred_at=occurred_at(alert), moment=moment):
            return f"maintenance {window.maintenance.name}"
    return None


def _inhibited(causes: Causes, member: Member, moment: datetime) -> str | None:
    cause = causes.cause_of(member.alert, moment, is_known=member.told is not None)
    return None if cause is None else f"inhibited by {cause}"


_SUPPRESSIONS = {
    "interval": Suppression.INTERVAL,
    "outside": Suppression.INTERVAL,
    "silence": Suppression.SILENCE,
    "maintenance": Suppression.MAINTENANCE,
    "inhibited": Suppression.INHIBITION,
}
"""By the first word of a reason."""
