"""What stands in the way of an older version's code on a store that a newer one migrated."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A table as code meets it: what it may read, must write, and must not."""

    columns: dict[str, tuple[str, bool, str | None, int]]
    """Kind, whether it is required, default and place in the key, by name."""
    indexes: frozenset[str]
    unique: frozenset[tuple[str, ...]]
    references: frozenset[tuple[str, str, str]]
    """Table that is pointed to, the column that does, and what deleting a row there does."""
    checks: int
    triggers: frozenset[str]


def obstacles(before: Path, after: Path) -> list[str]:
    """Answer with all that code which fits the store `before` meets in `after`, but not there."""
    then, now = _shapes(before), _shapes(after)
    found = [f"no table {name}" for name in then.keys() - now.keys()]
    for name in then.keys() & now.keys():
        found += [f"{name}: {one}" for one in _obstacles(then[name], now[name])]
    for name in now:
        # It deletes rows without knowing what points to them.
        added = now[name].references - (then[name].references if name in then else frozenset())
        found += [
            f"{name}.{column} keeps rows of {to} from being deleted"
            for to, column, deleting in added
            if to in then and deleting not in ("CASCADE", "SET NULL", "SET DEFAULT")
        ]
        found += [
            f"{name}.{column} must point to {to}"
            for to, column, _ in added
            if name in then and column in then[name].columns
        ]
    return sorted(found)


def _obstacles(then: Shape, now: Shape) -> list[str]:
    found = [f"no column {one}" for one in then.columns.keys() - now.columns.keys()]
    for name, (kind, is_required, default, key) in now.columns.items():
        if name in then.columns and then.columns[name] != (kind, is_required, default, key):
            found.append(f"{name} is another")
        if name not in then.columns and (key or (is_required and default is None)):
            found.append(f"{name} must be written")
    found += [f"no index {one}" for one in then.indexes - now.indexes]
    found += [f"{', '.join(one)} must be unique" for one in now.unique - then.unique]
    found += [f"{', '.join(one)} is no longer unique" for one in then.unique - now.unique]
    found += [f"trigger {one}" for one in now.triggers - then.triggers]
    return [*found, "another check"] if now.checks > then.checks else found


def _shapes(path: Path) -> dict[str, Shape]:
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    with closing(sqlite3.connect(path)) as connection:
        return {name: _shape(connection, name, sql) for name, sql in connection.execute(query)}


def _shape(connection: sqlite3.Connection, table: str, sql: str) -> Shape:
    def asked(pragma: str, of: str) -> list[tuple[object, ...]]:
        return connection.execute(f"SELECT * FROM pragma_{pragma}(?)", (of,)).fetchall()

    indexes = [(str(name), bool(unique)) for _, name, unique, *_ in asked("index_list", table)]
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
    return Shape(
        columns={
            str(name): (str(kind), required == 1, default and str(default), int(str(key)))  # type: ignore[misc]
            for _, name, kind, required, default, key in asked("table_info", table)
        },
        indexes=frozenset(name for name, _ in indexes if not name.startswith("sqlite_")),
        unique=frozenset(
            tuple(str(column) for _, _, column in asked("index_info", name))
            for name, is_unique in indexes
            if is_unique
        ),
        references=frozenset(
            (str(to), str(column), str(deleting))
            for _, _, to, column, _, _, deleting, _ in asked("foreign_key_list", table)
        ),
        checks=sql.upper().count("CHECK"),
        triggers=frozenset(name for (name,) in connection.execute(triggers, (table,))),
    )
