"""Rows of what a daemon tells: a table on a terminal, a line each elsewhere."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tmcwatch.cli.ending import one_line

Json = Mapping[str, Any]

MOST = 1_000
"""Rows that the daemon gives in one answer."""

_LEAST = 15
"""Columns of the terminal for each of a table: with fewer, words break in their middle."""
_ENDLESS = 100_000
_FRACTION = re.compile(r"\.[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How rows are shown."""

    nothing: str
    headings: Sequence[str]
    cells: Callable[[Json], Sequence[str]]


def show(found: Sequence[Json], shape: Shape) -> None:
    console = Console(highlight=False)
    rows = [[one_line(cell) for cell in shape.cells(one)] for one in found]
    if not rows:
        click.echo(shape.nothing)
    elif console.is_terminal:
        _draw(console, shape.headings, rows)
    else:
        for row in rows:
            click.echo(_line(shape.headings, row))
    if len(found) == MOST:
        click.echo(f"only the first {MOST} are shown", err=True)


def moment(text: str | None) -> str:
    """Write a moment to the second, as people read it."""
    return _FRACTION.sub("", text or "")


def _draw(console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*headings)
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    unbounded = console.options.update(max_width=_ENDLESS)
    fits = console.measure(table, options=unbounded).maximum <= console.width
    if fits or console.width >= _LEAST * len(headings):
        console.print(table)
        return
    stacked = Table.grid(Column(no_wrap=True, style="bold"), Column(), padding=(0, 1))
    for first, *others in rows:
        told = [pair for pair in zip(headings[1:], others, strict=True) if pair[1] != "none"]
        stacked.add_row(Text(first), Text(_line(*zip(*told, strict=True)), overflow="fold"))
    console.print(stacked)


def _line(headings: Sequence[str], row: Sequence[str]) -> str:
    return ", ".join(f"{heading} {cell}" for heading, cell in zip(headings, row, strict=True))
