"""Executions that have not begun, or are being stopped, and how lately their lists were seen."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, not_, or_, select

from tmcwatch.domain.execution import AccountName, ExecutionId, Kind, Phase, SubjectId, Trigger
from tmcwatch.domain.stuck import Seen, Since, Stuck
from tmcwatch.store.among import is_among
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import capture, executions

_WAITS = executions.c.phase == Phase.WAITING.value
_STOPS = executions.c.phase == Phase.STOPPING.value
_LONG = or_(
    and_(_WAITS, executions.c.triggered_at <= bindparam("waits_since")),
    and_(_STOPS, executions.c.seen_at <= bindparam("stops_since")),
)

# Built once: they are asked at every round. What runs is passed over in the index of open ones.
_SEEN = select(
    capture.c.account, capture.c.kind, capture.c.head_at, capture.c.skew, capture.c.watched_from
).where(is_among(capture.c.kind, [Kind.TASK.value, Kind.PLAN.value]), capture.c.away_to.is_(None))
_HELD_UP = and_(
    executions.c.open,
    executions.c.account == bindparam("asked_account"),
    executions.c.kind == bindparam("asked_kind"),
    executions.c.subject.is_not(None),
)
_FOR_LONG = select(
    executions.c.id,
    executions.c.subject,
    executions.c.phase,
    executions.c.trigger,
    executions.c.triggered_at,
    executions.c.seen_at,
    executions.c.engine,
    executions.c.plan,
).where(_HELD_UP, _LONG)
_OLDEST_OTHERS = select(
    func.min(case((_WAITS, executions.c.triggered_at))),
    func.min(case((_STOPS, executions.c.seen_at))),
).where(_HELD_UP, or_(_WAITS, _STOPS), not_(_LONG))


def seen_lists(connection: Connection) -> tuple[Seen, ...]:
    """Answer with the lists of tasks and plans that are not catching up with an outage."""
    return tuple(
        Seen(
            account=AccountName(account),
            kind=Kind(kind),
            head_at=loaded(head_at),
            skew=timedelta(microseconds=skew),
            watched_from=loaded(watched_from),
        )
        for account, kind, head_at, skew, watched_from in connection.execute(_SEEN)
    )


def held_up(connection: Connection, seen: Seen, since: Since) -> tuple[Stuck, ...]:
    """Answer with the executions of a list that wait, or are being stopped, for that long."""
    found = connection.execute(_FOR_LONG, _asked(seen, since))
    return tuple(_stuck(seen, values) for values in found)


def oldest_others(connection: Connection, seen: Seen, since: Since) -> Since:
    """Answer with since when the oldest of the others wait, or are being stopped."""
    waits, stops = connection.execute(_OLDEST_OTHERS, _asked(seen, since)).one()
    # A trigger is on TMC's clock; a stop is dated by the look that showed it.
    return Since(
        waiting=None if waits is None else loaded(waits) - seen.skew, stopping=loaded(stops)
    )


def _asked(seen: Seen, since: Since) -> dict[str, str | int | None]:
    return {
        "asked_account": seen.account,
        "asked_kind": seen.kind.value,
        "waits_since": None if since.waiting is None else stored(since.waiting + seen.skew),
        "stops_since": stored(since.stopping),
    }


def _stuck(seen: Seen, values: Sequence[Any]) -> Stuck:
    id_, subject, phase, trigger, triggered_at, seen_at, engine, plan = values
    waits = phase == Phase.WAITING.value
    return Stuck(
        account=seen.account,
        kind=seen.kind,
        execution=ExecutionId(id_),
        subject=SubjectId(subject),
        phase=Phase(phase),
        trigger=Trigger(trigger),
        since=loaded(triggered_at) - seen.skew if waits else loaded(seen_at),
        engine=engine,
        inside_plan=plan is not None or trigger == Trigger.PLAN.value,
    )
