"""Looking at groups: what each has to tell, kept, and owed to every target of its receiver."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tmcwatch.alerting.settings import Receiver, Routes, Settings
from tmcwatch.domain.alert import AlertId, EndReason
from tmcwatch.domain.delivery import Delivery, State, delivery_id
from tmcwatch.domain.episode import ended
from tmcwatch.domain.grouping import Flush, Group, Member, flush, told_notices
from tmcwatch.domain.message import Message
from tmcwatch.domain.muting import Muting, Suppression, muted_in, suppression_of
from tmcwatch.store.alerts import save_alerts
from tmcwatch.store.engine import Connection
from tmcwatch.store.groups import Looked, drop_group, members_of, places_of, save_looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round of looking at groups works with."""

    connection: Connection
    settings: Settings
    routes: Routes
    muting: Muting
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What looking at one group came to."""

    receiver: Receiver
    before: Sequence[Member]
    muted: Mapping[AlertId, str]
    flushed: Flush

    @property
    def group(self) -> Group:
        return self.flushed.group


def look_at(this: Round, groups: Iterable[Group]) -> list[Look]:
    """Answer with what these groups tell now; those that the config no longer has are emptied."""
    groups = tuple(groups)
    members = members_of(this.connection, [group.key for group in groups])
    looks = []
    for group in groups:
        route = this.routes.route_of(group)
        receiver = this.settings.receivers.get(group.receiver)
        if route is None or receiver is None:
            drop_group(this.connection, group.key)
            continue
        muted = muted_in(this.muting, route, members[group.key])
        flushed = flush(
            group,
            members[group.key],
            route,
            muted=muted,
            send_resolved=receiver.send_resolved,
            now=this.now,
        )
        before = members[group.key]
        looks.append(Look(receiver=receiver, before=before, muted=muted, flushed=flushed))
    return looks


def newly_muted(looks: Iterable[Look]) -> Counter[Suppression]:
    """Count the alerts that were not muted at the last look at their group, by what mutes them."""
    return Counter(
        suppression_of(look.muted[member.alert.id])
        for look in looks
        for member in look.before
        if member.muted is None and member.alert.id in look.muted
    )


def keep(this: Round, looks: Sequence[Look]) -> None:
    """Write what was told; a notice that nobody else is still to be told of is over."""
    save_looked(
        this.connection,
        (Looked(group=look.group, before=look.before, kept=look.flushed.kept) for look in looks),
    )
    told = {one.id: one for look in looks for one in told_notices(look.flushed.alerts)}
    untold = places_of(this.connection, told)
    save_alerts(
        this.connection,
        (
            ended(notice, EndReason.CLOSED, at=this.now, now=this.now)
            for id_, notice in told.items()
            if id_ not in untold
        ),
    )


def message_of(this: Round, look: Look) -> Message:
    flushed = look.flushed
    return Message(
        key="",
        receiver=look.group.receiver,
        group_key=look.group.key,
        group_labels=look.group.labels,
        alerts=flushed.alerts,
        updates=flushed.updates,
        repeats=flushed.repeats,
        told_before=flushed.told_before,
        created_at=this.now,
        external_url=this.settings.external_url,
    )


def owed_for(message: Message, number: int, receiver: Receiver) -> Iterator[Delivery]:
    """Give the delivery of a group's message to each target of its receiver."""
    for target in receiver.targets:
        id_ = delivery_id(target, message.group_key, number)
        yield Delivery(
            id=id_,
            target=target,
            number=number,
            message=replace(message, key=id_),
            state=State.PENDING,
            attempts=0,
            due_at=message.created_at,
        )
