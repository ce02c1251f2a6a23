"""How a command ends: its exit code, and what went wrong in one line each."""

from enum import IntEnum
from typing import IO, Any

import click


class Ending(IntEnum):
    DONE = 0
    FOUND = 1
    """It did its work and found something wrong."""
    USAGE = 2
    """Wrong usage or configuration."""
    UNREACHABLE = 3
    """TMC, the daemon, the store or a port."""
    INTERRUPTED = 130


class Failed(click.ClickException):
    """Ends a command; each line goes to stderr."""

    def __init__(self, *lines: str, code: Ending) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.exit_code = code

    def show(self, file: IO[Any] | None = None) -> None:
        for line in self.lines:
            click.echo(one_line(line), file=file, err=True)


def one_line(text: str) -> str:
    return " ".join(text.split())


def found_wrong(*lines: str) -> Failed:
    return Failed(*lines, code=Ending.FOUND)


def wrong_usage(*lines: str) -> Failed:
    return Failed(*lines, code=Ending.USAGE)


def unreachable(*lines: str) -> Failed:
    return Failed(*lines, code=Ending.UNREACHABLE)
