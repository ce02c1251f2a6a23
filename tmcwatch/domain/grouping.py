"""Grouping: when a group of alerts is told, and what its next message lists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Status
from tmcwatch.domain.built_in import NOTICES
from tmcwatch.domain.routing import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Alerts that share a route and its group labels; one message lists them together."""

    key: str
    receiver: str
    labels: Mapping[str, str]
    number: int = 0
    """Of the last message."""
    flush_at: datetime | None = None
    """When to look whether there is something to tell; None if nothing is waiting."""
    flushed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An alert in a group, and what the receiver was told of it."""

    alert: Alert
    told: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """The outcome of looking at a group that was due."""

    group: Group
    alerts: tuple[Alert, ...]
    """To list in the next message; without any there is none."""
    told_before: int
    kept: tuple[Member, ...]
    """Members from now on; those that are over and told have left."""


def due_for(group: Group, route: Route, *, has_members: bool, now: datetime) -> Group:
    """Answer with the group after an alert in it opened or ended.

    A group that has been told waits for its interval, an empty or new one for `group_wait`.
    """
    if has_members and group.flushed_at is not None:
        wanted = max(now, group.flushed_at + route.group_interval)
    else:
        wanted = now + route.group_wait
    if group.flush_at is not None and (group.flush_at <= wanted):
        return group
    return replace(group, flush_at=wanted)


def flush(
    group: Group, members: Sequence[Member], route: Route, *, send_resolved: bool, now: datetime
) -> Flush:
    """Answer with what a due group tells, and when it is to be looked at again.

    Opened alerts are told, also those that are over by now: one message says both. An end is
    told where its opening was. Whatever still fires is told again after `repeat_interval`.
    """
    silent = {member.alert.id for member in members if not _speaks(member, send_resolved)}
    fresh = [m for m in members if m.told is None and m.alert.id not in silent]
    over = [m for m in members if _is_over(m) and m.told and m.alert.id not in silent]
    firing = [m for m in members if m.told and not _is_over(m)]
    repeats = firing and group.flushed_at and now >= group.flushed_at + route.repeat_interval
    listed = over + fresh + (firing if repeats else [])
    kept = tuple(replace(m, told=Status.FIRING) for m in members if not _leaves(m))
    flushed_at = now if listed else group.flushed_at
    again = flushed_at + route.repeat_interval if kept and flushed_at else None
    return Flush(
        group=replace(
            group,
            number=group.number + bool(listed),
            flush_at=again,
            flushed_at=flushed_at,
        ),
        alerts=tuple(member.alert for member in listed),
        told_before=0 if repeats else len(firing),
        kept=kept,
    )


def about_to_tell(members: Sequence[Member], *, send_resolved: bool) -> frozenset[AlertId]:
    """Answer with the alerts that the group's next message will list, repeats apart."""
    return frozenset(
        member.alert.id
        for member in members
        if (member.told is None or _is_over(member)) and _speaks(member, send_resolved)
    )


def _is_over(member: Member) -> bool:
    return member.alert.status is Status.RESOLVED


def _leaves(member: Member) -> bool:
    return _is_over(member) or member.alert.rule in NOTICES


def _speaks(member: Member, send_resolved: bool) -> bool:  # noqa: FBT001 - read at one place
    """Tell whether the member has something to say at all."""
    if not _is_over(member):
        return True
    if member.alert.end_reason is EndReason.CLOSED:
        return False
    return send_resolved or member.told is None


def told_notices(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Answer with the notices among `alerts`, which end by being told."""
    return tuple(alert for alert in alerts if alert.rule in NOTICES)
