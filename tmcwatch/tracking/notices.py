"""What looks find of outages and of what was missed: written in the look's transaction."""

from dataclasses import replace
from datetime import datetime

from tmcwatch.domain.built_in import AWAY
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.spoken import stretch
from tmcwatch.domain.window import Window
from tmcwatch.store.capture import is_known_gap
from tmcwatch.store.conditions import begin_condition
from tmcwatch.store.engine import Connection


def note_stretches(connection: Connection, looked: Looked) -> None:
    """Write what a look found of an outage, before the look itself is stored."""
    if looked.away is not None:
        outage_found(connection, looked.account, looked.kind, looked.away)
    if looked.gap is not None:
        gap_found(connection, looked.account, looked.kind, looked.gap, at=looked.at)


def gap_found(
    connection: Connection, account: AccountName, kind: Kind, gap: Window, *, at: datetime
) -> None:
    """Tell that TMC no longer shows a stretch which nobody has read, before it is stored.

    Looks find it again, longer each time, until one proves what came after it.
    """
    if is_known_gap(connection, account, kind, gap.start):
        return
    text = (
        f"What ran from {stretch(gap)} is not known: TMC no longer shows the {kind.value}s of "
        f"{account} of that time"
    )
    _tell(connection, Condition(rule="gap", account=account, kind=kind, text=text, since=at))


def discrepancy_found(
    connection: Connection,
    account: AccountName,
    kind: Kind,
    *,
    window: Window,
    number: int,
    at: datetime,
) -> None:
    """Tell that reading a certified window again showed rows or ends that had been missed."""
    what = "row or end" if number == 1 else "rows or ends"
    text = (
        f"Reading the {kind.value}s of {account} from {stretch(window)} again showed {number:,} "
        f"{what} that had been missed; they are stored and told now"
    )
    rule = "audit_discrepancy"
    _tell(connection, Condition(rule=rule, account=account, kind=kind, text=text, since=at))


def outage_found(connection: Connection, account: AccountName, kind: Kind, away: Window) -> None:
    """Write that an outage is being caught up with: alerting ends that, with a digest."""
    begin_condition(
        connection,
        Condition(rule=AWAY, account=account, kind=kind, text=stretch(away), since=away.start),
    )


def _tell(connection: Connection, condition: Condition) -> None:
    # Over as it begins, so that each is a condition of its own.
    begin_condition(connection, replace(condition, until=condition.since))
