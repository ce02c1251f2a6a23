"""Which deliveries wait for which, and which become one: as conditions on the outbox."""

from sqlalchemy import ColumnElement, and_, bindparam, literal, or_, select

from tmcwatch.domain.delivery import State
from tmcwatch.store.among import is_among
from tmcwatch.store.schema import deliveries

OPEN = (State.PENDING.value, State.SENDING.value)
"""What is still owed."""

_STORM = "storm:"


def storm_key(receiver: str) -> str:
    """Answer with what stands for a group where summaries of storms are told to a receiver."""
    return f"{_STORM}{receiver}"


def is_next() -> ColumnElement[bool]:
    """Say what may be sent now: what no message before it tells of the same alerts.

    These are the earlier ones of its group. A summary of a storm is of many groups: it waits for
    all that was owed before it, and all that is owed after waits for it.
    """
    earlier = deliveries.alias("earlier")
    same_target = and_(earlier.c.target == deliveries.c.target, is_among(earlier.c.state, OPEN))
    of_group = select(literal(1)).where(
        same_target,
        earlier.c.group_key == deliveries.c.group_key,
        earlier.c.number < deliveries.c.number,
    )
    summary = select(literal(1)).where(
        same_target,
        earlier.c.group_key == _STORM + deliveries.c.receiver,
        earlier.c.created_at < deliveries.c.created_at,
    )
    before_summary = select(literal(1)).where(
        same_target, earlier.c.created_at < deliveries.c.created_at
    )
    is_summary = deliveries.c.group_key == _STORM + deliveries.c.receiver
    return and_(
        deliveries.c.target == bindparam("asked_target"),
        deliveries.c.state == State.PENDING.value,
        ~of_group.exists(),
        ~summary.exists(),
        or_(~is_summary, ~before_summary.exists()),
    )


def may_be_merged() -> ColumnElement[bool]:
    """Say of which rows no attempt was made, so that what comes after them can be merged in."""
    later = deliveries.alias("later")
    of_group = select(literal(1)).where(
        later.c.group_key == deliveries.c.group_key,
        later.c.target == deliveries.c.target,
        later.c.number > deliveries.c.number,
    )
    # What is merged in may follow on what the summary says, but the row would not wait for it.
    summary = select(literal(1)).where(
        later.c.group_key == _STORM + deliveries.c.receiver,
        later.c.target == deliveries.c.target,
        is_among(later.c.state, OPEN),
    )
    return and_(
        deliveries.c.state == State.PENDING.value,
        deliveries.c.attempts == 0,
        # A replayed one has an error: a receiver that has seen its key would drop what is new.
        deliveries.c.error.is_(None),
        ~of_group.exists(),
        ~summary.exists(),
    )
