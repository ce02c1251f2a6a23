"""Mirroring: which alerts a mirror of our state shows, as firing or as over."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert, Status
from tmcwatch.domain.built_in import NOTICES
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.parking import FAILING, NO_ACCOUNT, RECEIVER

OVER_FOR = timedelta(minutes=15)
"""For how long an end is shown, so that a mirror that was away learns of it."""
NOTICED_FOR = timedelta(minutes=15)
"""For how long a notice fires in a mirror: with us it ends by being told."""
SHOWN_FOR = OVER_FOR + NOTICED_FOR
"""For how long an alert that ended may still be shown."""

LabelSet = frozenset[tuple[str, str]]


def mirrored(alerts: Iterable[Alert], *, now: datetime) -> tuple[Alert, ...]:
    """Answer with the alerts that a mirror shows, one for each label set.

    A mirror knows an alert by its labels, which two episodes of a rule on a task may share: what
    fires goes before what is over, and what ended last before what ended earlier.
    """
    shown: dict[LabelSet, Alert] = {}
    for alert in alerts:
        if alert.due_at is not None:
            continue  # the time of its rule runs: it is not to be told yet
        one = _as_noticed(alert, now) if alert.rule in NOTICES else alert
        if _is_shown(one, now):
            known = shown.get(label_set(one))
            shown[label_set(one)] = one if known is None else max(known, one, key=_rank)
    return tuple(shown.values())


def withdrawn(
    before: Sequence[Alert], current: Sequence[Alert], *, now: datetime
) -> tuple[Alert, ...]:
    """Answer with what was shown before and no longer is, as over.

    Such as the labels of an alert before its severity rose, and what is muted meanwhile.
    """
    shown = {label_set(alert) for alert in current}
    gone = (alert for alert in before if label_set(alert) not in shown)
    over = (
        replace(alert, ends_at=now, changed_at=now) if alert.ends_at is None else alert
        for alert in gone
    )
    return tuple(alert for alert in over if _is_shown(alert, now))


def failing(target: str, receiver: str, *, since: datetime, error: str) -> Condition:
    """Answer with the condition that a mirror is in, in words for who is told elsewhere."""
    return Condition(
        rule=FAILING,
        account=NO_ACCOUNT,
        kind=RECEIVER,
        subject=target,
        name=receiver,
        text=(
            f"{target} could not be shown all that fires since {since:%Y-%m-%d %H:%M} UTC:"
            f" {error}. What it is not shown again ends there by itself; once it accepts it, it is"
            " shown everything: see whether it can be reached from here, and its login"
        ),
        since=since,
    )


def label_set(alert: Alert) -> LabelSet:
    return frozenset(alert.labels.items())


def _as_noticed(alert: Alert, now: datetime) -> Alert:
    until = alert.opened_at + NOTICED_FOR
    if now < until:
        return replace(alert, ends_at=None, end_reason=None)
    return replace(alert, ends_at=until, changed_at=until)


def _is_shown(alert: Alert, now: datetime) -> bool:
    return alert.status is Status.FIRING or now - alert.changed_at < OVER_FOR


def _rank(alert: Alert) -> tuple[bool, datetime]:
    return alert.status is Status.FIRING, alert.changed_at
