"""Whether there is anything to decide on: asked at once, as nearly every round finds nothing."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
    true,
)

from tmcwatch.domain.execution import Phase
from tmcwatch.store.alerts import ORPHANED
from tmcwatch.store.among import is_among
from tmcwatch.store.groups import NEXT_FLUSH
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import (
    alerts,
    conditions,
    cursors,
    executions,
    groups,
    silences,
    storms,
    transitions,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a round would decide on."""

    now: datetime
    decided: str
    """The cursor behind which transitions were decided on."""
    marks: frozenset[str]
    """The cursors of what is told once: there once it was told."""
    outage: str
    """The rule of conditions that are decided on for as long as they last."""
    flushed_by: datetime
    """Until when a group with news counts."""
    opened_since: datetime
    """Since when an alert that opened counts as news."""
    is_thorough: bool
    """Whether what follows is looked for as well, besides what waits and what is orphaned."""
    stuck: str
    """The rule of the alerts about what waits."""
    expired: str
    """The cursor that says at which second it was last looked for what expires."""
    expired_since: int
    """Since which second that is recent enough."""
    silences_until: datetime
    """Until when a silence ends that is told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm:
    """Nothing is to be decided on."""

    next_at: datetime | None
    """When something will be, as far as the store knows."""


def _place(name: str) -> ColumnElement[int]:
    place = select(cursors.c.sequence).where(cursors.c.name == bindparam(name))
    return func.coalesce(place.scalar_subquery(), 0)


# Built once: they are asked at every round. What is cheap comes first, as it is not looked further
# where something was found.
_NEWS = or_(
    exists().where(transitions.c.sequence > _place("decided")),
    exists().where(conditions.c.told == false()),
    exists().where(groups.c.flush_at <= bindparam("flushed_by")),
    exists().where(alerts.c.opened_at > bindparam("opened_since")),
    exists().where(alerts.c.due_at <= bindparam("now"), alerts.c.held == false()),
    exists().where(alerts.c.held == true()),
    exists(select(storms.c.receiver)),
    exists().where(conditions.c.rule == bindparam("outage"), conditions.c.until.is_(None)),
)
_SLOW_NEWS = or_(
    _place("expired") <= bindparam("expired_since"),
    _place("expired") > bindparam("second"),
    exists().where(
        executions.c.open,
        executions.c.subject.is_not(None),
        is_among(executions.c.phase, [Phase.WAITING.value, Phase.STOPPING.value]),
    ),
    exists().where(
        silences.c.starts_at <= bindparam("now"),
        silences.c.ends_at > bindparam("now"),
        silences.c.ends_at <= bindparam("silences_until"),
        silences.c.reminded == false(),
    ),
    exists().where(alerts.c.ends_at.is_(None), alerts.c.rule == bindparam("stuck")),
    ORPHANED.exists(),
)
_NEXT = (
    NEXT_FLUSH.scalar_subquery(),
    select(func.min(alerts.c.due_at))
    .where(alerts.c.due_at > bindparam("now"), alerts.c.held == false())
    .scalar_subquery(),
)


@lru_cache(maxsize=4)  # what one config asks
def _statement(
    marks: frozenset[str], *, is_thorough: bool
) -> Select[bool, *tuple[int | None, ...]]:
    news = [_NEWS, _SLOW_NEWS] if is_thorough else [_NEWS]
    if marks:
        there = select(func.count(cursors.c.name)).where(is_among(cursors.c.name, sorted(marks)))
        news.insert(1, there.scalar_subquery() < len(marks))
    return select(or_(*news), *_NEXT)


def calm(connection: Connection, glance: Glance) -> Calm | None:
    """Answer with how long it is calm, None where there is something to decide on."""
    statement = _statement(glance.marks, is_thorough=glance.is_thorough)
    is_news, *moments = connection.execute(statement, _asked(glance)).one()
    if is_news:
        return None
    return Calm(next_at=min((loaded(at) for at in moments if at is not None), default=None))


def _asked(glance: Glance) -> dict[str, object]:
    asked: dict[str, object] = {
        "now": stored(glance.now),
        "decided": glance.decided,
        "outage": glance.outage,
        "flushed_by": stored(glance.flushed_by),
        "opened_since": stored(glance.opened_since),
    }
    if glance.is_thorough:
        asked |= {
            "stuck": glance.stuck,
            "expired": glance.expired,
            "expired_since": glance.expired_since,
            "second": int(glance.now.timestamp()),
            "silences_until": stored(glance.silences_until),
        }
    return asked
