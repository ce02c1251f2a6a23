"""Silences in the store, those that are over included until they are forgotten."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, false, select, update

from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.silence import Silence
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import silences

# Built once: it is asked at every round.
_ACTIVE = (
    select(silences)
    .where(silences.c.starts_at <= bindparam("now"), silences.c.ends_at > bindparam("since"))
    .order_by(silences.c.created_at, silences.c.id)
)


_ENDING = select(silences).where(
    silences.c.starts_at <= bindparam("now"),
    silences.c.ends_at > bindparam("now"),
    silences.c.ends_at <= bindparam("before"),
    silences.c.reminded == false(),
)


def add_silence(connection: Connection, silence: Silence) -> None:
    """Write a new silence; its id is new."""
    connection.execute(
        silences.insert().values(
            id=silence.id,
            matchers=json.dumps([str(matcher) for matcher in silence.matchers]),
            created_by=silence.created_by,
            comment=silence.comment,
            created_at=stored(silence.created_at),
            starts_at=stored(silence.starts_at),
            ends_at=stored(silence.ends_at),
            reminded=False,
        )
    )


def expire_silence(connection: Connection, id_: str, now: datetime) -> bool:
    """End a silence, one that has not begun included; answers whether it had not ended."""
    ended = update(silences).where(silences.c.id == id_, silences.c.ends_at > stored(now))
    return connection.execute(ended.values(ends_at=stored(now))).rowcount > 0


def load_silence(connection: Connection, id_: str) -> Silence | None:
    values = connection.execute(select(silences).where(silences.c.id == id_)).one_or_none()
    return None if values is None else _silence(values)


def active_silences(
    connection: Connection, now: datetime, *, since: datetime | None = None
) -> tuple[Silence, ...]:
    """Answer with the silences that hold now, or did at some time since then, oldest first."""
    asked = {"now": stored(now), "since": stored(since or now)}
    return tuple(_silence(values) for values in connection.execute(_ACTIVE, asked))


def newest_silences(connection: Connection, most: int) -> tuple[Silence, ...]:
    """Answer with silences, those that end last first."""
    query = select(silences).order_by(silences.c.ends_at.desc(), silences.c.id).limit(most)
    return tuple(_silence(values) for values in connection.execute(query))


def ending_silences(
    connection: Connection, *, now: datetime, before: datetime
) -> tuple[Silence, ...]:
    """Answer with the silences that hold, end before a moment, and were not announced to end."""
    asked = {"now": stored(now), "before": stored(before)}
    return tuple(_silence(values) for values in connection.execute(_ENDING, asked))


def take_note_of_reminder(connection: Connection, ids: Iterable[str]) -> None:
    """Write that the end of these was announced."""
    reminded = update(silences).where(silences.c.id.in_(list(ids)))
    connection.execute(reminded.values(reminded=True))


def _silence(values: Any) -> Silence:  # noqa: ANN401 - a row
    return Silence(
        id=values.id,
        matchers=tuple(matcher_from(text) for text in json.loads(values.matchers)),
        created_by=values.created_by,
        comment=values.comment,
        created_at=loaded(values.created_at),
        starts_at=loaded(values.starts_at),
        ends_at=loaded(values.ends_at),
    )
