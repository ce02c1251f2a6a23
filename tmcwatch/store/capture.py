"""How far each list was read: watermark, head, and the history still to be read."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.observation import Check, Learned, Looked, Pass, Position
from tmcwatch.domain.window import Limits, Reading, Window
from tmcwatch.store.moments import loaded, span, span_stored, stored
from tmcwatch.store.schema import capture, gaps

# Built once: they are asked at every look or round.
_THIS = (capture.c.account == bindparam("asked_account")) & (
    capture.c.kind == bindparam("asked_kind")
)
_POSITION = select(capture).where(_THIS)
_WATCHED_FROM = select(capture.c.watched_from).where(_THIS)
_HEADS = select(capture.c.kind, capture.c.head_at).where(
    capture.c.account == bindparam("asked_account")
)
_SKEWS = select(capture.c.account, func.min(capture.c.skew)).group_by(capture.c.account)
_CHANGE = update(capture).where(_THIS)
_CAUGHT_UP = capture.c.away_to <= bindparam("to")
_MOVE_WATERMARK = (
    update(capture)
    .where(_THIS, capture.c.watermark < bindparam("to"))
    .values(
        watermark=bindparam("to"),
        away_from=case((_CAUGHT_UP, None), else_=capture.c.away_from),
        away_to=case((_CAUGHT_UP, None), else_=capture.c.away_to),
    )
)
_AWAY = select(capture.c.account, capture.c.kind, capture.c.away_from, capture.c.away_to).where(
    capture.c.away_to.is_not(None)
)
_HISTORIES = select(capture.c.account, capture.c.history_from)


def position(connection: Connection, account: AccountName, kind: Kind) -> Position | None:
    """Answer with how far a list was read, None before the first look."""
    asked = {"asked_account": account, "asked_kind": kind.value}
    values = connection.execute(_POSITION, asked).one_or_none()
    if values is None:
        return None
    history = (
        None
        if values.history_from is None
        else Window(start=loaded(values.history_from), end=loaded(values.history_to))
    )
    return Position(
        watched_from=loaded(values.watched_from),
        watermark=loaded(values.watermark),
        history=history,
        away=away_of(values),
        settle=span(values.settle),
        reading=None if values.reading is None else Reading(values.reading),
        limits=Limits(widest=span(values.widest), deepest=values.deepest),
        checked_from=loaded(values.checked_from),
        checked_to=loaded(values.checked_to),
        audited_at=loaded(values.audited_at),
        audited_day_at=loaded(values.audited_day_at),
    )


def advance_capture(connection: Connection, looked: Looked) -> None:
    """Move what a look moved. The watermark never goes back."""
    this = {"asked_account": looked.account, "asked_kind": looked.kind.value}
    if looked.watched_from is not None:
        _begin(connection, looked, looked.watched_from)
    changes = _head(looked) | _learned(looked.learned)
    changes |= _checked(looked.check, looked.at + looked.skew)
    if changes:
        connection.execute(_CHANGE, this | changes)
    if looked.watermark is not None:
        # Past the end of an outage, that is caught up with.
        connection.execute(_MOVE_WATERMARK, this | {"to": stored(looked.watermark)})
    if looked.gap is not None:
        _keep_gap(connection, looked, looked.gap)
    if looked.history_read:
        rest = looked.history
        begin, end = (stored(rest.start), stored(rest.end)) if rest else (None, None)
        connection.execute(_CHANGE, this | {"history_from": begin, "history_to": end})


def lists_catching_up(connection: Connection) -> Mapping[tuple[AccountName, Kind], Window]:
    """Answer with the lists that catch up with an outage, and from when to when it lasted."""
    found = connection.execute(_AWAY).all()
    return {
        (AccountName(values.account), Kind(values.kind)): Window(
            start=loaded(values.away_from), end=loaded(values.away_to)
        )
        for values in found
    }


def widen_settle(
    connection: Connection, account: AccountName, kind: Kind, settle: timedelta
) -> None:
    """Write a longer settle lag, as a late find asks for; a shorter one changes nothing."""
    this = (capture.c.account == account) & (capture.c.kind == kind.value)
    shorter = capture.c.settle.is_(None) | (capture.c.settle < span_stored(settle))
    wider = update(capture).where(this, shorter).values(settle=span_stored(settle))
    connection.execute(wider)


def is_known_gap(
    connection: Connection, account: AccountName, kind: Kind, start: datetime
) -> bool:
    """Tell whether the gap that begins at `start` was found before."""
    found = select(gaps.c.found_at).where(
        gaps.c.account == account, gaps.c.kind == kind.value, gaps.c.start == stored(start)
    )
    return connection.execute(found).first() is not None


def restart_checks(connection: Connection, account: AccountName, at: datetime) -> None:
    """Begin the checks of an account anew at `at`, our time: from then on more of it is seen.

    What ran before where nothing was to be seen has not been missed.
    """
    on_tmc = stored(at) + capture.c.skew
    begun = update(capture).where(capture.c.account == account)
    connection.execute(begun.values(checked_from=on_tmc, checked_to=on_tmc))


def accounts_with_history_read(connection: Connection) -> frozenset[AccountName]:
    """Answer with the accounts whose every list was looked at and has no history left to read."""
    rows = connection.execute(_HISTORIES).all()
    unread = {account for account, history_from in rows if history_from is not None}
    return frozenset(AccountName(account) for account, _ in rows) - unread


def watched_since(connection: Connection, account: AccountName, kind: Kind) -> datetime | None:
    """Answer with TMC's time from which a list is watched, None before the first look."""
    asked = {"asked_account": account, "asked_kind": kind.value}
    return loaded(connection.execute(_WATCHED_FROM, asked).scalar())


def heads_of(connection: Connection, account: AccountName) -> Mapping[str, datetime]:
    """Answer with our time of the last look that succeeded, of each list of an account."""
    found = connection.execute(_HEADS, {"asked_account": account})
    return {kind: loaded(head_at) for kind, head_at in found}


def skews(connection: Connection) -> Mapping[AccountName, timedelta]:
    """Answer with how far TMC's clock is ahead of ours, of each account that was looked at."""
    found = connection.execute(_SKEWS).all()
    return {AccountName(account): span(skew) for account, skew in found}


def _head(looked: Looked) -> dict[str, int]:
    changes: dict[str, int] = {}
    if looked.head:
        changes = {"head_at": stored(looked.at), "skew": span_stored(looked.skew)}
    # Also with the first part of a look that is cut: its rows belong to the outage.
    if looked.away is not None:
        changes["away_from"] = stored(looked.away.start)
        changes["away_to"] = stored(looked.away.end)
    return changes


def _learned(learned: Learned | None) -> dict[str, int | str | None]:
    if learned is None:
        return {}
    changes: dict[str, int | str | None] = {}
    if learned.settle is not None:
        changes["settle"] = span_stored(learned.settle)
    if learned.reading is not None:
        changes["reading"] = learned.reading.value
    if learned.limits is not None:
        widest = learned.limits.widest
        changes["widest"] = None if widest is None else span_stored(widest)
        changes["deepest"] = learned.limits.deepest
    return changes


def _checked(check: Check | None, at: datetime) -> dict[str, int]:
    match check:
        case Check(kind=Pass.SECOND, done=True):
            return {"checked_to": stored(check.window.end)}
        case Check(kind=Pass.SAMPLE, done=True):
            return {"audited_at": stored(at)}
        case Check(kind=Pass.DAY, done=True):
            return {"audited_day_at": stored(at)}
        case _:
            return {}


def _keep_gap(connection: Connection, looked: Looked, gap: Window) -> None:
    connection.execute(
        insert(gaps)
        .values(
            account=looked.account,
            kind=looked.kind.value,
            start=stored(gap.start),
            end=stored(gap.end),
            found_at=stored(looked.at),
        )
        .on_conflict_do_nothing()
    )


def away_of(values: Any) -> Window | None:  # noqa: ANN401 - a row
    """Answer with the outage that a row says is being caught up with."""
    if values.away_from is None:
        return None
    return Window(start=loaded(values.away_from), end=loaded(values.away_to))


def _begin(connection: Connection, looked: Looked, watched_from: datetime) -> None:
    history = looked.history
    connection.execute(
        insert(capture)
        .values(
            account=looked.account,
            kind=looked.kind.value,
            watched_from=stored(watched_from),
            watermark=stored(looked.watermark or watched_from),
            head_at=stored(looked.at),
            history_from=stored(history.start) if history else None,
            history_to=stored(history.end) if history else None,
        )
        .on_conflict_do_nothing()
    )
