"""What people did about alerts, in the store: notes, and who is on an alert."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select, update

from tmcwatch.domain.alert import AlertId, Attention
from tmcwatch.domain.attention import Act, Note
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import alerts, notes


def save_attention(connection: Connection, id_: AlertId, attention: Attention) -> None:
    """Write what people said of an alert; alerting itself never writes that."""
    connection.execute(
        update(alerts)
        .where(alerts.c.id == id_)
        .values(
            acknowledged_by=attention.acknowledged_by,
            acknowledged_at=stored(attention.acknowledged_at),
            acknowledged_until=stored(attention.acknowledged_until),
            snoozed_at=stored(attention.snoozed_at),
            snoozed_until=stored(attention.snoozed_until),
        )
    )


def attention_of(values: Any) -> Attention:  # noqa: ANN401 - a row
    return Attention(
        acknowledged_by=values.acknowledged_by,
        acknowledged_at=loaded(values.acknowledged_at),
        acknowledged_until=loaded(values.acknowledged_until),
        snoozed_at=loaded(values.snoozed_at),
        snoozed_until=loaded(values.snoozed_until),
    )


def add_note(connection: Connection, note: Note) -> None:
    connection.execute(
        notes.insert().values(
            alert=note.alert,
            at=stored(note.at),
            author=note.author,
            act=note.act.value,
            text=note.text,
        )
    )


def notes_of(connection: Connection, ids: Iterable[AlertId]) -> tuple[Note, ...]:
    """Answer with what was done about these alerts, oldest first."""
    query = select(notes).where(notes.c.alert.in_(list(ids))).order_by(notes.c.sequence)
    return tuple(
        Note(
            alert=AlertId(values.alert),
            at=loaded(values.at),
            author=values.author,
            act=Act(values.act),
            text=values.text,
        )
        for values in connection.execute(query)
    )
