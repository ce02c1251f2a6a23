"""How far each list was read: watermark, head, and the history still to be read."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.observation import Looked, Position
from tmcwatch.domain.window import Window
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import capture

# Built once: they are asked at every look or round.
_POSITION = select(capture).where(
    capture.c.account == bindparam("asked_account"), capture.c.kind == bindparam("asked_kind")
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
    )


def advance_capture(connection: Connection, looked: Looked) -> None:
    """Move what a look moved. The watermark never goes back."""
    this = (capture.c.account == looked.account) & (capture.c.kind == looked.kind.value)
    if looked.watched_from is not None:
        _begin(connection, looked, looked.watched_from)
    if looked.head:
        connection.execute(update(capture).where(this).values(head_at=stored(looked.at)))
    if looked.watermark is not None:
        behind = capture.c.watermark < stored(looked.watermark)
        moved = update(capture).where(this, behind)
        connection.execute(moved.values(watermark=stored(looked.watermark)))
    if looked.history_read:
        rest = looked.history
        connection.execute(
            update(capture)
            .where(this)
            .values(
                history_from=stored(rest.start) if rest else None,
                history_to=stored(rest.end) if rest else None,
            )
        )


def accounts_with_history_read(connection: Connection) -> frozenset[AccountName]:
    """Answer with the accounts whose every list was looked at and has no history left to read."""
    rows = connection.execute(_HISTORIES).all()
    unread = {account for account, history_from in rows if history_from is not None}
    return frozenset(AccountName(account) for account, _ in rows) - unread


def watched_since(connection: Connection, account: AccountName, kind: Kind) -> datetime | None:
    """Answer with TMC's time from which a list is watched, None before the first look."""
    query = select(capture.c.watched_from).where(
        capture.c.account == account, capture.c.kind == kind.value
    )
    return loaded(connection.execute(query).scalar())


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
