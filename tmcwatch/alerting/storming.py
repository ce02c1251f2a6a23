"""Storms: receivers with more news than anyone reads are told summaries until it is over."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from tmcwatch.alerting.settings import Routes, Settings
from tmcwatch.alerting.telling import Look, Round, keep, look_at, newly_muted, owed_for
from tmcwatch.domain.alert import AlertId
from tmcwatch.domain.grouping import Group
from tmcwatch.domain.message import Message
from tmcwatch.domain.muting import Suppression
from tmcwatch.domain.storm import Storm, StormLimit, facts_of_storm, is_stormy, worst
from tmcwatch.store.engine import Connection
from tmcwatch.store.groups import load_group, places_of, save_groups
from tmcwatch.store.outbox import owe_all
from tmcwatch.store.precedence import storm_key
from tmcwatch.store.storms import (
    end_storm,
    groups_by,
    known_to,
    load_storms,
    news_for,
    next_flush_of,
    opened_since,
    save_storm,
    waiting_by_receiver,
)

MOST_IN_A_SUMMARY = 10_000
"""Groups that one summary stands for; what is left waits for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarised:
    """Deliveries owed for a summary, and the alerts not told on their own, by why."""

    owed: int = 0
    suppressed: Counter[Suppression] = field(default_factory=Counter)


def storms_now(connection: Connection, settings: Settings, *, now: datetime) -> dict[str, Storm]:
    """Answer with the storms that last or begin, as there is news; those that are over end.

    News is what is told within the limit's time from now, and what was told within it before.
    """
    lasting = load_storms(connection)
    limits = {
        name: receiver.storm for name, receiver in settings.receivers.items() if receiver.storm
    }
    storms = {}
    for name in _suspects(connection, limits, lasting, now=now):
        limit = limits[name]
        news = news_for(connection, name, since=now - limit.within, horizon=now + limit.within)
        # One that was begun for what an outage hid lasts until its first summary at least.
        is_new = name in lasting and lasting[name].flushed_at is None and news > 0
        if is_new or is_stormy(news, limit, lasting=name in lasting):
            storms[name] = lasting.get(name) or begin_storm(connection, name, now)
    for name in lasting.keys() - storms.keys():
        end_storm(connection, name)
    return storms


def begin_storm(connection: Connection, receiver: str, now: datetime) -> Storm:
    storm = Storm(since=now)
    save_storm(connection, receiver, storm)
    return storm


def tell_together(
    connection: Connection, settings: Settings, released: Iterable[AlertId], *, now: datetime
) -> None:
    """Have what an outage hid told as one summary, where it would be several messages."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for places in places_of(connection, released).values():
        for place in places:
            groups[place.receiver].add(place.group)
    lasting = load_storms(connection) if groups else {}
    for name, keys in groups.items():
        receiver = settings.receivers.get(name)
        if len(keys) > 1 and receiver is not None and receiver.storm and name not in lasting:
            begin_storm(connection, name, now)


def summarise(this: Round, receiver: str, storm: Storm) -> Summarised:
    """Tell a receiver in a storm what all its groups tell, if it is time.

    Groups that wait for company do not wait longer: a summary has enough of it. Each alert counts
    as told by its own group, where its end and its repeats are told once the storm is over.
    """
    settings = this.settings.receivers[receiver]
    due_at = summary_due_at(this.connection, this.routes, receiver, storm)
    if settings.storm is None or due_at is None or due_at > this.now:
        return Summarised()
    soon = groups_by(this.connection, receiver, this.now + settings.storm.within)
    looks = [_as_a_part(look) for look in look_at(this, soon[:MOST_IN_A_SUMMARY])]
    keep(this, looks)
    suppressed = newly_muted(looks)
    if not any(look.flushed.alerts for look in looks):
        return Summarised(suppressed=suppressed)
    save_storm(this.connection, receiver, replace(storm, flushed_at=this.now))
    key = storm_key(receiver)
    group = load_group(this.connection, key) or Group(key=key, receiver=receiver, labels={})
    group = replace(group, number=group.number + 1, flushed_at=this.now)
    save_groups(this.connection, [group])
    message = _summary(this, group, looks, since=storm.since)
    suppressed[Suppression.STORM] += sum(len(look.flushed.alerts) for look in looks)
    owed = owe_all(this.connection, owed_for(message, group.number, settings))
    return Summarised(owed=owed, suppressed=suppressed)


def summary_due_at(
    connection: Connection, routes: Routes, receiver: str, storm: Storm
) -> datetime | None:
    """Answer with when the next summary is due: with the first of the groups that have news."""
    due_at = next_flush_of(connection, receiver)
    if due_at is None or storm.flushed_at is None:
        return due_at
    return max(due_at, storm.flushed_at + routes.interval_of(receiver))


def _suspects(
    connection: Connection,
    limits: Mapping[str, StormLimit],
    lasting: Mapping[str, Storm],
    *,
    now: datetime,
) -> list[str]:
    """Answer with the receivers whose news is worth counting: asked so that it costs little."""
    if not limits:
        return []
    longest = max(limit.within for limit in limits.values())
    waiting = waiting_by_receiver(connection, now + longest)
    opened = opened_since(connection, now - longest)
    return [
        name
        for name, limit in limits.items()
        if name in lasting or waiting.get(name, 0) + opened > limit.above
    ]


def _as_a_part(look: Look) -> Look:
    """Answer with a look whose news a summary tells: the group has no message of its own."""
    group = look.group
    same = replace(group, number=group.number - bool(look.flushed.alerts))
    return replace(look, flushed=replace(look.flushed, group=same))


def _summary(this: Round, group: Group, looks: Iterable[Look], *, since: datetime) -> Message:
    flushes = [look.flushed for look in looks]
    alerts = [alert for flushed in flushes for alert in flushed.alerts]
    facts = facts_of_storm(alerts, since=since)
    listed = worst(alerts)
    ids = {alert.id for alert in listed}
    return Message(
        key="",
        receiver=group.receiver,
        group_key=group.key,
        group_labels=group.labels,
        alerts=listed,
        updates=frozenset(id_ for flushed in flushes for id_ in flushed.updates & ids),
        repeats=frozenset(id_ for flushed in flushes for id_ in flushed.repeats & ids),
        told_before=max(known_to(this.connection, group.receiver) - facts.firing, 0),
        storm=facts,
        created_at=this.now,
        external_url=this.settings.external_url,
    )
