"""Parking: how long a target that fails is left alone, and when its failing is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tmcwatch.domain.condition import Condition
from tmcwatch.domain.delivery import LONGEST_RETRY
from tmcwatch.domain.execution import AccountName

FAILING = "delivery_failing"
RECEIVER = "receiver"
"""The kind of what such an alert is about."""
NO_ACCOUNT = AccountName("")
"""A receiver belongs to no account."""

PROBE_EVERY = LONGEST_RETRY
"""How often a target that refused the login is tried again."""
TOLD_AFTER = timedelta(minutes=15)
"""How long a target may fail before that is told, unless it refuses for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A target fails: what it is owed stays owed."""

    since: datetime
    """Of the first failure after the last message that it accepted."""
    until: datetime
    """It is left alone before that moment."""
    refused: bool = False
    """It refused the login: one message at a time tries whether it still does."""


def after_failure(
    trouble: Trouble | None, *, now: datetime, refused: bool, wait_until: datetime | None = None
) -> Trouble:
    """Answer with the trouble after a send failed.

    `refused` says that the login was; `wait_until` is the moment that the target asked for.
    """
    since = now if trouble is None else trouble.since
    until = now + PROBE_EVERY if refused else wait_until or since
    if trouble is not None:
        # Of messages that fail side by side, the one that asked for most is heard.
        until = max(until, trouble.until)
    was_refused = trouble is not None and trouble.refused
    return Trouble(since=since, until=until, refused=refused or was_refused)


def is_known_refusal(trouble: Trouble | None, *, refused: bool) -> bool:
    """Tell whether a refused login is no news: the message that met it then waits like others."""
    return refused and trouble is not None and trouble.refused


def told_at(trouble: Trouble) -> datetime:
    """Answer with when it is told, if nothing was refused for good before."""
    return trouble.since + TOLD_AFTER


def failing(
    target: str, receiver: str, trouble: Trouble, *, waiting: int, given_up: int, error: str
) -> Condition:
    """Answer with the condition that a target is in, in words for who is told through another."""
    has = "refused the login" if trouble.refused else "accepted no message"
    numbers = f"{_counted(waiting, 'waits', 'wait')}, {_counted(given_up, 'was', 'were')} given up"
    return Condition(
        rule=FAILING,
        account=NO_ACCOUNT,
        kind=RECEIVER,
        subject=target,
        name=receiver,
        text=(
            f"{target} has {has} since {trouble.since:%Y-%m-%d %H:%M} UTC: {error}. "
            f"{numbers}. {_advice(receiver, trouble, given_up)}"
        ),
        since=trouble.since,
    )


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} message{'' if number == 1 else 's'} {one if number == 1 else more}"


def _advice(receiver: str, trouble: Trouble, given_up: int) -> str:
    """Say what to do."""
    again = f"tmcwatch deliveries replay --receiver {receiver}"
    if trouble.refused:
        return f"Mend its login, then: {again} (else it is tried every 10 minutes)"
    if given_up:
        return f"Mend what it refuses, then: {again}"
    return "What waits is tried again for 72 hours: see whether it can be reached from here"
