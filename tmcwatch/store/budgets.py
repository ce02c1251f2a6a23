"""Budgets in the store: how fast each family was asked last, and until when it is paused."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.budget import Family, RememberedPace
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import budgets

# Built once, as at every refusal one is written.
_INSERT = insert(budgets)
_REMEMBER = _INSERT.on_conflict_do_update(
    index_elements=["name", "family"],
    set_={name: _INSERT.excluded[name] for name in ("rate", "paused_until", "at")},
)

_PACES = select(budgets).where(budgets.c.name == bindparam("asked"))

_FAMILIES = {family.value: family for family in Family}


def remember_pace(
    connection: Connection, name: str, family: Family, pace: RememberedPace, *, at: datetime
) -> None:
    """Write how fast a family may be asked within the budget of that name, in place of before.

    What is written `at` a moment was asked then at the latest, unless the pace tells when.
    """
    connection.execute(
        _REMEMBER,
        {
            "name": name,
            "family": family.value,
            "rate": pace.rate,
            "paused_until": stored(pace.paused_until),
            "at": stored(pace.asked_at or at),
        },
    )


def remembered_paces(connection: Connection, name: str) -> Mapping[Family, RememberedPace]:
    """Answer with what was written last for each family of a budget."""
    return {
        # Another version may have told families apart that this one does not know.
        _FAMILIES[values.family]: RememberedPace(
            rate=values.rate,
            paused_until=loaded(values.paused_until),
            asked_at=loaded(values.at),
        )
        for values in connection.execute(_PACES, {"asked": name})
        if values.family in _FAMILIES
    }
