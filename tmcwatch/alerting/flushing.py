"""Groups that are due, told to the outbox: one message each, or summaries in a storm."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from tmcwatch.alerting.muting import muting_at
from tmcwatch.alerting.settings import Settings, routes_of
from tmcwatch.alerting.storming import begin_storm, storms_now, summarise, summary_due_at
from tmcwatch.alerting.telling import (
    Look,
    Round,
    keep,
    look_at,
    message_of,
    newly_muted,
    owed_for,
)
from tmcwatch.domain.muting import Muting, Suppression
from tmcwatch.domain.storm import is_stormy
from tmcwatch.store.engine import Connection
from tmcwatch.store.groups import due_groups, next_flush_at
from tmcwatch.store.outbox import owe_all
from tmcwatch.store.storms import load_storms


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """How many groups were looked at, how many deliveries are owed for it, and what is next."""

    groups: int
    owed: int
    next_at: datetime | None
    suppressed: Counter[Suppression] = field(default_factory=Counter)
    """Alerts that receivers are not told of on their own, by why."""


def flush_groups(
    connection: Connection, settings: Settings, *, now: datetime, most: int
) -> Flushed:
    """Tell what due groups have to tell, `most` of them at once; summaries to those in storms."""
    routes = routes_of(settings.root)
    storms = storms_now(connection, settings, now=now)
    due = due_groups(connection, now, most=most)
    muting = muting_at(connection, settings, now=now) if due or storms else Muting(at=now)
    this = Round(connection=connection, settings=settings, routes=routes, muting=muting, now=now)
    looks = look_at(this, due)
    # What no count of news foresees, as when a silence ends: it is seen once it is to be told.
    broken = _broken(looks)
    storms |= {receiver: begin_storm(connection, receiver, now) for receiver in broken}
    told = [look for look in looks if look.group.receiver not in broken]
    keep(this, told)
    owed = owe_all(
        connection,
        (
            delivery
            for look in told
            if look.flushed.alerts
            for delivery in owed_for(message_of(this, look), look.group.number, look.receiver)
        ),
    )
    suppressed = newly_muted(told)
    for receiver, storm in storms.items():
        summarised = summarise(this, receiver, storm)
        owed += summarised.owed
        suppressed += summarised.suppressed
    return Flushed(groups=len(due), owed=owed, next_at=_next_at(this), suppressed=suppressed)


def _broken(looks: Iterable[Look]) -> frozenset[str]:
    """Answer with the receivers that would be told too much by these groups alone."""
    news: Counter[str] = Counter()
    limits = {}
    for look in looks:
        news[look.group.receiver] += len(look.flushed.alerts) - len(look.flushed.repeats)
        news[look.group.receiver] += bool(look.flushed.repeats)
        limits[look.group.receiver] = look.receiver.storm
    return frozenset(
        receiver
        for receiver, limit in limits.items()
        if limit is not None and is_stormy(news[receiver], limit, lasting=False)
    )


def _next_at(this: Round) -> datetime | None:
    moments = [next_flush_at(this.connection)]
    for receiver, storm in load_storms(this.connection).items():
        moments.append(summary_due_at(this.connection, this.routes, receiver, storm))
    return min((moment for moment in moments if moment is not None), default=None)
