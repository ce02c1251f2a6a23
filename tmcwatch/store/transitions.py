"""The transition log: what tracking found, read by alerting behind its own cursor."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.execution import ENDS, AccountName, Kind, Phase, Transition, Trigger
from tmcwatch.store.among import is_among
from tmcwatch.store.executions import breakage_from, breakage_text
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import cursors, transitions

# Built once: they are asked at every round.
_AFTER = (
    select(transitions)
    .where(transitions.c.sequence > bindparam("after"))
    .order_by(transitions.c.sequence)
    .limit(bindparam("most"))
)
_ENDS_AFTER = (
    select(
        transitions.c.account, transitions.c.kind, transitions.c.execution, transitions.c.sequence
    )
    .where(
        transitions.c.sequence > bindparam("after"),
        is_among(transitions.c.phase, sorted(phase.value for phase in ENDS)),
    )
    .order_by(transitions.c.sequence)
)
_APPEND = transitions.insert()
_CURSOR = select(cursors.c.sequence).where(cursors.c.name == bindparam("asked_name"))
_NEW_CURSOR = insert(cursors)
_SAVED_CURSOR = _NEW_CURSOR.on_conflict_do_update(
    index_elements=["name"], set_={"sequence": _NEW_CURSOR.excluded.sequence}
)


def append_transitions(connection: Connection, found: Sequence[Transition]) -> None:
    """Add transitions to the log; their order there is the order they are told in."""
    if found:
        connection.execute(_APPEND, [_values(transition) for transition in found])


def transitions_after(
    connection: Connection, sequence: int, *, most: int
) -> tuple[tuple[int, Transition], ...]:
    """Answer with the next transitions of the log and their places in it, oldest first."""
    found = connection.execute(_AFTER, {"after": sequence, "most": most})
    return tuple((values.sequence, _transition(values)) for values in found)


def ends_after(connection: Connection, sequence: int) -> dict[tuple[str, str, str], int]:
    """Answer with where the last end of each run stands in the log after a place.

    By account, kind and execution.
    """
    found = connection.execute(_ENDS_AFTER, {"after": sequence})
    return {(account, kind, execution): place for account, kind, execution, place in found}


def newest_transitions(connection: Connection, most: int) -> tuple[Transition, ...]:
    """Answer with the transitions found last, newest first."""
    query = select(transitions).order_by(transitions.c.sequence.desc()).limit(most)
    return tuple(_transition(values) for values in connection.execute(query))


def last_sequence(connection: Connection) -> int:
    """Answer with the place of the newest transition, 0 for an empty log."""
    return connection.execute(select(func.max(transitions.c.sequence))).scalar() or 0


def cursor(connection: Connection, name: str) -> int:
    """Answer with a cursor's place, 0 before it was ever saved."""
    return connection.execute(_CURSOR, {"asked_name": name}).scalar() or 0


def save_cursor(connection: Connection, name: str, sequence: int) -> None:
    connection.execute(_SAVED_CURSOR, {"name": name, "sequence": sequence})


def names_cursor(account: AccountName) -> str:
    """Answer with the cursor that says whether an account's names were ever read whole."""
    return f"names:{account}"


def _transition(values: Any) -> Transition:  # noqa: ANN401 - a row
    return Transition(
        account=values.account,
        kind=Kind(values.kind),
        execution=values.execution,
        subject=values.subject,
        phase=Phase(values.phase),
        at=loaded(values.at),
        seen_at=loaded(values.seen_at),
        trigger=Trigger(values.trigger),
        reason=values.reason,
        error=values.error,
        breakage=breakage_from(values.breakage),
        corrects=None if values.corrects is None else Phase(values.corrects),
        quiet=values.quiet,
        backfilled=values.backfilled,
    )


def _values(transition: Transition) -> dict[str, object]:
    corrects = transition.corrects
    return {
        "account": transition.account,
        "kind": transition.kind.value,
        "execution": transition.execution,
        "subject": transition.subject,
        "phase": transition.phase.value,
        "at": stored(transition.at),
        "seen_at": stored(transition.seen_at),
        "trigger": transition.trigger.value,
        "reason": transition.reason,
        "error": transition.error,
        "breakage": breakage_text(transition.breakage),
        "corrects": None if corrects is None else corrects.value,
        "quiet": transition.quiet,
        "backfilled": transition.backfilled,
    }
