"""Conditions on columns that hold one of a few values that are known beforehand."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, literal


def is_among(column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    """Say that a column holds one of these.

    A plain list would be written into the statement anew each time that it is asked.
    """
    return column.in_([literal(value) for value in values])
