"""What the store's tests work with: a store on a file, and ways to fill and read it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select

from tests.domain.telling import NOON, PROD
from tmcwatch.domain.execution import Execution, Kind, Row
from tmcwatch.domain.observation import Looked
from tmcwatch.store.engine import Store


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def believed(row: Row, **changes: Any) -> Execution:
    return replace(Execution(account=PROD, row=row, first_seen_at=NOON, seen_at=NOON), **changes)


def looked(**changes: Any) -> Looked:
    facts: dict[str, Any] = {"account": PROD, "kind": Kind.TASK, "at": NOON, "rows": ()}
    return Looked(**(facts | changes))


def rows_in(store: Store, table: Table) -> int:
    count = select(func.count()).select_from(table)
    return store.read(lambda connection: connection.execute(count).scalar_one())
