"""Rows of what a daemon tells: a table on a terminal, a line each elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tmcwatch.cli.ending import one_line

Json = Mapping[str, Any]

MOST = 1_000
"""Rows that the daemon gives in one answer."""


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
        table = Table(*shape.headings)
        for row in rows:
            table.add_row(*(Text(cell, overflow="fold") for cell in row))
        console.print(table)
    else:
        for row in rows:
            pairs = zip(shape.headings, row, strict=True)
            click.echo(", ".join(f"{heading} {cell}" for heading, cell in pairs))
    if len(found) == MOST:
        click.echo(f"only the first {MOST} are shown", err=True)
