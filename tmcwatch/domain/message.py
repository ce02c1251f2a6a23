"""Messages: what one delivery tells one receiver, as facts; the words are made when it is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from tmcwatch.domain.alert import Alert, AlertId, Severity, Status
from tmcwatch.domain.storm import StormFacts

_GRAVITY = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The facts of one delivery.

    `alerts` lists what is new to the receiver; `told_before` counts the firing alerts of the group
    that it was told of already and that are not repeated here. In a storm it lists only the worst
    of what it tells.
    """

    key: str
    """The same in every attempt: a receiver that has seen it may drop the second."""
    receiver: str
    group_key: str
    group_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    updates: frozenset[AlertId] = frozenset()
    """Those listed that the receiver knows, and that are worse since it was told."""
    repeats: frozenset[AlertId] = frozenset()
    """Those listed that the receiver knows, and that still fire as it was told."""
    told_before: int = 0
    storm: StormFacts | None = None
    """Set where it is the summary of a storm."""
    created_at: datetime
    external_url: str = ""

    @property
    def status(self) -> Status:
        """Say whether anything fires of what it is about, told before or here."""
        listed = any(alert.status is Status.FIRING for alert in self.alerts)
        unlisted = self.told_before > 0 or (self.storm is not None and self.storm.firing > 0)
        return Status.FIRING if listed or unlisted else Status.RESOLVED

    @property
    def unlisted(self) -> int:
        """Count what it tells without listing it."""
        return 0 if self.storm is None else self.storm.alerts - len(self.alerts)

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
    only: str | None = None
    """`text`, `markdown` or `html` where the other two need not be made; `title` for none."""


IN_FULL = Wish()


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
    new = {alert.id for alert in older.alerts} - older.updates - older.repeats
    known = {id_ for id_, alert in alerts.items() if alert.status is Status.FIRING} - new
    updates = (older.updates | newer.updates) & known
    return replace(
        newer,
        key=older.key,
        alerts=tuple(alerts.values()),
        updates=updates,
        repeats=((older.repeats | newer.repeats) & known) - updates,
        told_before=max(newer.told_before - untold, 0),
        created_at=older.created_at,
    )
