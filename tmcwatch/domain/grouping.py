"""Grouping: when a group of alerts is told, and what its next message lists."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity, Status
from tmcwatch.domain.built_in import NOTICES
from tmcwatch.domain.repeating import told_again_at
from tmcwatch.domain.routing import Route

_LEAST_WAIT = timedelta(seconds=1)


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
    told_at: datetime | None = None
    """When the receiver last heard of it: a message listed it, or counted it beside its news."""
    told_severity: Severity | None = None
    muted: str | None = None
    """Why it was not told when the group was last looked at."""

    @property
    def is_over(self) -> bool:
        return self.alert.status is Status.RESOLVED

    @property
    def has_risen(self) -> bool:
        """Tell whether it is worse than the receiver was told."""
        return self.told_severity not in {None, self.alert.severity}

    @property
    def is_known(self) -> bool:
        """Tell whether the receiver believes that it fires."""
        return self.told is not None and not self.is_over


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """The outcome of looking at a group that was due."""

    group: Group
    alerts: tuple[Alert, ...]
    """To list in the next message; without any there is none."""
    updates: frozenset[AlertId]
    """Those listed that were told before, and are worse since."""
    repeats: frozenset[AlertId]
    """Those listed that were told before, and still fire as they did."""
    told_before: int
    kept: tuple[Member, ...]
    """Members from now on; those that are over and told have left."""


def due_for(group: Group, route: Route, *, has_members: bool, now: datetime) -> Group:
    """Answer with the group after an alert in it opened, ended or became worse.

    News waits `group_wait` for company, and in a group that was told until `group_interval` has
    passed as well. Alertmanager looks at such a group at every tick of its interval: it would part
    two recoveries a second apart if the tick falls between them, and let one that just missed
    it wait for the next.
    """
    wanted = now + route.group_wait
    if has_members and group.flushed_at is not None:
        wanted = max(wanted, group.flushed_at + route.group_interval)
    return looked_at_by(group, wanted)


def looked_at_by(group: Group, moment: datetime | None) -> Group:
    """Answer with the group to be looked at by then; one that is due earlier stays so."""
    if moment is None or (group.flush_at is not None and group.flush_at <= moment):
        return group
    return replace(group, flush_at=moment)


def flush(
    group: Group,
    members: Sequence[Member],
    route: Route,
    *,
    muted: Mapping[AlertId, str],
    send_resolved: bool,
    now: datetime,
) -> Flush:
    """Answer with what a due group tells, and when it is to be looked at again.

    Opened alerts are told, also those that are over by now: one message says both. An end is told
    where its opening was, and so is a severity that rose. What still fires is told again when its
    time comes. Those in `muted` stay as they were told, and those that began and ended so leave.
    A group that was told and is looked at before its interval has passed says nothing yet.
    """
    outspoken = _outspoken(members, route, send_resolved=send_resolved, now=now)
    is_early = _is_known(members) and now < _next_tick(group, route, now)
    listed = frozenset() if is_early else outspoken - muted.keys()
    spoken = tuple(sorted((m for m in members if m.alert.id in listed), key=_rank))
    updates = frozenset(m.alert.id for m in spoken if m.is_known and m.has_risen)
    repeats = frozenset(m.alert.id for m in spoken if m.is_known) - updates
    stay = (m for m in members if not _leaves(m, outspoken, listed, muted))
    kept = tuple(_after(m, listed, muted, is_news=listed > repeats, now=now) for m in stay)
    flushed = replace(
        group,
        number=group.number + bool(listed),
        flush_at=None,
        flushed_at=now if listed else group.flushed_at,
    )
    return Flush(
        group=_due_again(flushed, kept, route, send_resolved=send_resolved, now=now),
        alerts=tuple(member.alert for member in spoken),
        updates=updates,
        repeats=repeats,
        told_before=sum(m.is_known and m.alert.id not in listed for m in members),
        kept=kept,
    )


def about_to_tell(members: Sequence[Member], *, send_resolved: bool) -> frozenset[AlertId]:
    """Answer with the alerts that the group's next message will list, what was told so apart."""
    return frozenset(
        member.alert.id
        for member in members
        if (member.told is None or member.is_over) and _speaks(member, send_resolved=send_resolved)
    )


def told_notices(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Answer with the notices among `alerts`, which end by being told."""
    return tuple(alert for alert in alerts if alert.rule in NOTICES)


def _speaks(member: Member, *, send_resolved: bool) -> bool:
    """Tell whether the member has something to say at all."""
    if not member.is_over:
        return True
    if member.told is None:
        # Who closed it knows of it, and nobody else was told.
        return member.alert.end_reason is not EndReason.CLOSED
    return send_resolved


def _told_at(
    member: Member, route: Route, *, send_resolved: bool, now: datetime
) -> datetime | None:
    """Answer with when the member is to be told next; None for not before it changes."""
    if member.is_over:
        return now if _speaks(member, send_resolved=send_resolved) else None
    if member.alert.attention.is_snoozed(now):
        return member.alert.attention.snoozed_until
    if member.told is None or member.has_risen:
        return now
    heard_at = member.told_at or now
    return told_again_at(member.alert, heard_at, route.repeat_interval, now=now)


def _outspoken(
    members: Iterable[Member], route: Route, *, send_resolved: bool, now: datetime
) -> frozenset[AlertId]:
    """Answer with the alerts that are to be told by now."""
    moments = {
        m.alert.id: _told_at(m, route, send_resolved=send_resolved, now=now) for m in members
    }
    return frozenset(
        id_ for id_, moment in moments.items() if moment is not None and moment <= now
    )


def _is_known(members: Iterable[Member]) -> bool:
    """Tell whether the receiver was told of any of them."""
    return any(member.told is not None for member in members)


def _next_tick(group: Group, route: Route, now: datetime) -> datetime:
    """Answer with when a group that was told may speak again."""
    return now if group.flushed_at is None else group.flushed_at + route.group_interval


def _rank(member: Member) -> int:
    """Place what a message lists: ends, what is new, what became worse, and what is repeated."""
    if member.told is None:
        return 1
    return (2 if member.has_risen else 3) if member.is_known else 0


def _after(
    member: Member,
    listed: Collection[AlertId],
    muted: Mapping[AlertId, str],
    *,
    is_news: bool,
    now: datetime,
) -> Member:
    """Answer with the member after the group was looked at.

    News speaks of all that still fires, as it is counted beside it: that is not repeated soon.
    But where someone is on it, the runs that it had since would then never be told.
    """
    if member.alert.id in listed:
        severity = member.alert.severity
        return replace(member, told=Status.FIRING, told_at=now, told_severity=severity, muted=None)
    reason = muted.get(member.alert.id)
    attended = member.alert.attention.is_acknowledged(now)
    if is_news and member.is_known and reason is None and not attended:
        return replace(member, told_at=now, muted=None)
    return replace(member, muted=reason)


def _leaves(
    member: Member,
    outspoken: Collection[AlertId],
    listed: Collection[AlertId],
    muted: Collection[AlertId],
) -> bool:
    id_ = member.alert.id
    if id_ in listed:
        return member.is_over or member.alert.rule in NOTICES
    return member.is_over and (id_ not in outspoken or (member.told is None and id_ in muted))


def _due_again(
    group: Group, kept: Sequence[Member], route: Route, *, send_resolved: bool, now: datetime
) -> Group:
    """Answer with the group after it was looked at, due when a member is to be told next."""
    for member in kept:
        moment = _told_at(member, route, send_resolved=send_resolved, now=now)
        if member.muted is not None:  # nobody says when that is over
            moment = now + max(route.group_interval, _LEAST_WAIT)
        group = looked_at_by(group, moment)
    if group.flush_at is None or not _is_known(kept):
        return group
    return replace(group, flush_at=max(group.flush_at, _next_tick(group, route, now)))
