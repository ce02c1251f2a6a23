"""Retelling: what dead letters would say now, were they sent again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Status
from tmcwatch.domain.built_in import NOTICES
from tmcwatch.domain.delivery import Delivery, DeliveryId, State
from tmcwatch.domain.message import Message


def retold(
    deliveries: Sequence[Delivery],
    known: Mapping[AlertId, Alert],
    *,
    awaited: Collection[AlertId] = (),
    now: datetime,
) -> dict[DeliveryId, Message]:
    """Answer with what each dead one among a group's deliveries to one target is to tell now.

    Those after them are given too: an alert is told by the last message that lists it, so that
    its opening and its end become one, and left to the group's next one where it is `awaited`.
    A message without alerts has nothing left to tell. The keys stay, as a receiver may have seen
    one.
    """
    messages: dict[DeliveryId, Message] = {}
    told_later = set(awaited)
    for delivery in sorted(deliveries, key=lambda each: each.number, reverse=True):
        message = delivery.message
        if delivery.state is State.DEAD:
            present = (_now(one, known) for one in message.alerts if one.id not in told_later)
            alerts = tuple(one for one in present if one is not None)
            # Tried afresh for as long as a new one, so it counts as made now.
            message = replace(message, alerts=alerts, created_at=now)
            messages[delivery.id] = message
        told_later |= {alert.id for alert in message.alerts if _tells(delivery, alert)}
    return messages


def _tells(delivery: Delivery, alert: Alert) -> bool:
    """Tell whether what comes before the delivery may leave an alert to it.

    What was accepted while the alert fired says nothing of how it is now.
    """
    return delivery.state is not State.DELIVERED or alert.status is Status.RESOLVED


def _now(alert: Alert, known: Mapping[AlertId, Alert]) -> Alert | None:
    """Answer with the alert as it is now, or None where nobody needs to hear of it any more."""
    if alert.rule in NOTICES:
        return alert  # it ended by being told
    present = known.get(alert.id)
    if present is None:  # only what ended long ago is forgotten
        return alert if alert.status is Status.RESOLVED else None
    # Who knows that it fires is to know that it was closed; nobody else need hear of it.
    was_closed = present.end_reason is EndReason.CLOSED and alert.status is Status.FIRING
    return None if was_closed else present
