"""Counters per workspace, stored with the transitions they count; they never go down."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.store.schema import counters

# Built once: it is asked for every look.
_NEW = insert(counters)
_ADDED = _NEW.on_conflict_do_update(
    index_elements=["metric", "account", "environment", "workspace", "kind", "label"],
    set_={"value": counters.c.value + _NEW.excluded.value},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Which counter: `label` is a result, a reason or the upper bound of a bucket."""

    metric: str
    account: AccountName
    kind: Kind
    environment: str = ""
    workspace: str = ""
    label: str = ""


def add_to_counters(connection: Connection, increments: Counter[Counted]) -> None:
    """Add to counters; one that does not exist yet begins at 0."""
    rows = [
        {
            "metric": counted.metric,
            "account": counted.account,
            "environment": counted.environment,
            "workspace": counted.workspace,
            "kind": counted.kind.value,
            "label": counted.label,
            "value": value,
        }
        for counted, value in increments.items()
    ]
    if rows:
        connection.execute(_ADDED, rows)
