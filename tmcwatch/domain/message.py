"""Messages: what one delivery tells one receiver, as facts; the words are made when it is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from tmcwatch.domain.alert import Alert, Severity, Status

_GRAVITY = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The facts of one delivery.

    `alerts` lists what is new to the receiver; `told_before` counts the firing alerts of the group
    that it was told of already and that are not repeated here.
    """

    key: str
    """The same in every attempt: a receiver that has seen it may drop the second."""
    receiver: str
    group_key: str
    group_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    told_before: int = 0
    created_at: datetime
    external_url: str = ""

    @property
    def status(self) -> Status:
        firing = any(alert.status is Status.FIRING for alert in self.alerts)
        return Status.FIRING if firing else Status.RESOLVED

    @property
    def severity(self) -> Severity:
        return max((alert.severity for alert in self.alerts), key=_GRAVITY.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a message is to be put into words for one service."""

    shortened: int = 0
    """How many times to leave out what matters least; 0 tells everything."""
    below_title: bool = False
    """Whether it is read right below the title, which it then does not say again."""


def _in_no_other_words(_wish: Wish) -> "Words | None":
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A message in words, each format safe for its kind of reader."""

    title: str
    """One line of plain text."""
    text: str
    markdown: str
    html: str
    reference: str = ""
    """Short, and the same in each message about the same alert, or the same group of several."""
    reworded: Callable[[Wish], "Words | None"] = field(
        default=_in_no_other_words, repr=False, compare=False
    )
    """The same message in other words; None where it cannot be any shorter."""


def merged(older: Message, newer: Message) -> Message:
    """Answer with one message that says what two of a group, neither sent yet, would have said.

    An alert is listed once, in its newest state. The older key stays: no receiver has seen either.
    """
    alerts = {alert.id: alert for alert in older.alerts}
    alerts |= {alert.id: alert for alert in newer.alerts}
    renewed = {alert.id for alert in newer.alerts}
    # The newer message counts as told what the older one was going to tell.
    untold = sum(
        alert.status is Status.FIRING and alert.id not in renewed for alert in older.alerts
    )
    return replace(
        newer,
        key=older.key,
        alerts=tuple(alerts.values()),
        told_before=max(newer.told_before - untold, 0),
        created_at=older.created_at,
    )
