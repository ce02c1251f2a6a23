"""What looks find of outages and of what was missed: written in the look's transaction."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from tmcwatch.domain.built_in import AWAY
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import AccountName, Execution, Kind, Phase, Row
from tmcwatch.domain.observation import Looked
from tmcwatch.domain.spoken import stretch
from tmcwatch.domain.window import Window
from tmcwatch.store.capture import is_known_gap, watched_since
from tmcwatch.store.conditions import begin_condition, was_noted
from tmcwatch.store.engine import Connection

STATUS = "unrecognised_status"
_LONGEST_STATUS = 100


def note_stretches(connection: Connection, looked: Looked) -> None:
    """Write what a look found of an outage, before the look itself is stored."""
    if looked.away is not None:
        outage_found(connection, looked.account, looked.kind, looked.away)
    if looked.gap is not None:
        gap_found(connection, looked.account, looked.kind, looked.gap, at=looked.at)


def note_statuses(connection: Connection, looked: Looked, seen: Iterable[Execution]) -> None:
    """Tell of each status that is not known, once an account and list; what is history is not."""
    unknown = [one.row for one in seen if one.row.phase is Phase.UNRECOGNISED]
    if not unknown:
        return
    begun = watched_since(connection, looked.account, looked.kind) or looked.watched_from
    statuses = {row.status[:_LONGEST_STATUS] for row in unknown if not _is_before(row, begun)}
    for status in sorted(statuses):
        if not was_noted(connection, STATUS, looked.account, kind=looked.kind, subject=status):
            _tell(connection, _unrecognised(looked, status))


def _is_before(row: Row, begun: datetime | None) -> bool:
    return begun is not None and row.triggered_at < begun


def _unrecognised(looked: Looked, status: str) -> Condition:
    return Condition(
        rule=STATUS,
        account=looked.account,
        kind=looked.kind,
        subject=status,
        name=looked.account,
        text=(
            f"TMC shows {looked.kind.value}s of {looked.account} with the status {status!r}, "
            "which this version of tmcwatch does not know: they do not count as ended, and are "
            "followed until that changes. See whether a newer version knows it"
        ),
        since=looked.at,
    )


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
