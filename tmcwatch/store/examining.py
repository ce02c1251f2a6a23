"""Whether a store is whole: its pages, its references, its schema, and how much room it takes."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tmcwatch.store.copying import connect, explained, size_of
from tmcwatch.store.engine import StoreError
from tmcwatch.store.revisions import REVISIONS
from tmcwatch.store.schema import compatibility, metadata

TOLD = 5
"""So many problems of one kind are told in words; a broken file has thousands."""

_POINTERS = (("members", "alert", "alerts", "id"), ("members", "group_key", "groups", "key"))
"""What points to what by an agreement of the code: table and column, twice."""

_NO_DATABASE = "file is not a database"
_UNREADABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    name: str
    text: str
    is_good: bool = True


def examined(path: Path) -> tuple[Finding, ...]:
    """Answer with all that was looked at; others may write meanwhile.

    Raises StoreError where the file cannot be opened at all.
    """
    try:
        with closing(connect(path)) as connection:
            # One view for all checks.
            connection.execute("BEGIN")
            return (*_all_looked_at(connection), _disk(path))
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {explained(error)}") from error


def _all_looked_at(connection: sqlite3.Connection) -> Iterator[Finding]:
    for name, look in _LOOKS.items():
        finding = _looked(name, look, connection)
        yield finding
        if finding.text.endswith(_NO_DATABASE):
            # The other looks would say it again.
            return


def _disk(path: Path) -> Finding:
    needed, free = size_of(path), shutil.disk_usage(path.parent).free
    enough = "enough for a copy" if free >= needed else "too little for a copy, as migrating needs"
    return Finding(name="disk", text=f"{free:,} bytes left, {enough}")


def _looked(
    name: str, look: Callable[[sqlite3.Connection], str], connection: sqlite3.Connection
) -> Finding:
    try:
        return Finding(name=name, text=look(connection))
    except _WrongError as error:
        return Finding(name=name, text=str(error), is_good=False)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNREADABLE:
            raise
        return Finding(name=name, text=f"the file is damaged: {error}", is_good=False)


class _WrongError(Exception):
    """What one look found."""


def _pages(connection: sqlite3.Connection) -> str:
    found = [str(text) for (text,) in connection.execute("PRAGMA integrity_check")]
    if found != ["ok"]:
        raise _WrongError(_some(found))
    return "every page and index is whole"


def _references(connection: sqlite3.Connection) -> str:
    found = [
        f"{table}: row {row} points to nothing in {parent}"
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check")
    ]
    for table, column, parent, key in _POINTERS:
        if {table, parent} <= _names(connection, "table"):
            query = f"SELECT {column} FROM {table} EXCEPT SELECT {key} FROM {parent}"  # noqa: S608 - our own names
            lost = [str(value) for (value,) in connection.execute(query)]
            found += [f"{table}: {column} {value} is not in {parent}" for value in lost]
    if found:
        raise _WrongError(_some(found))
    return "every member of a group of alerts has its group and its alert"


def _schema(connection: sqlite3.Connection) -> str:
    revision = _revision(connection)
    if revision == REVISIONS[-1]:
        return f"{revision}, that of this version"
    if revision in REVISIONS:
        return f"{revision}, migrated to {REVISIONS[-1]} when tmcwatch starts on it"
    if compatibility.name in _names(connection, "table"):
        readers = f"SELECT readable_by FROM {compatibility.name}"  # noqa: S608 - our own name
        if any(name in REVISIONS for (name,) in connection.execute(readers)):
            return f"{revision}, of a newer version, which this one works with"
    raise _WrongError(f"{revision}, of a newer version; this one knows {REVISIONS[-1]}")


def _shape(connection: sqlite3.Connection) -> str:
    revision = _revision(connection)
    if revision in REVISIONS[:-1]:
        return "as old as the schema: looked at once it is migrated"
    tables, indexes = _names(connection, "table"), _names(connection, "index")
    missing = [f"no table {name}" for name in metadata.tables if name not in tables]
    for table in metadata.tables.values():
        if table.name not in tables:
            continue
        query = "SELECT name FROM pragma_table_info(?)"
        columns = {name for (name,) in connection.execute(query, (table.name,))}
        missing += [f"no column {one}" for one in table.columns if one.name not in columns]
        missing += [f"no index {one.name}" for one in table.indexes if one.name not in indexes]
    if missing:
        raise _WrongError(_some(missing))
    return f"{len(metadata.tables)} tables with all columns and indexes"


def _room(connection: sqlite3.Connection) -> str:
    size, pages, unused = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    return f"{size * pages:,} bytes, {size * unused:,} of them empty and used again"


def _revision(connection: sqlite3.Connection) -> str:
    tables = _names(connection, "table")
    if not tables:
        raise _WrongError("empty: tmcwatch makes a store of it when it starts on it")
    if "alembic_version" not in tables:
        raise _WrongError("something else, not a store of tmcwatch")
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found[0]) if found else "none"


def _names(connection: sqlite3.Connection, kind: str) -> set[str]:
    query = "SELECT name FROM sqlite_master WHERE type = ?"
    return {name for (name,) in connection.execute(query, (kind,))}


def _some(problems: list[str]) -> str:
    rest = len(problems) - TOLD
    return "; ".join(problems[:TOLD]) + (f"; and {rest} more" if rest > 0 else "")


_LOOKS: dict[str, Callable[[sqlite3.Connection], str]] = {
    "pages": _pages,
    "references": _references,
    "schema": _schema,
    "shape": _shape,
    "size": _room,
}
