"""How a command ends: its exit code, and what went wrong in one line each."""

import re
from enum import IntEnum

_LOGIN = re.compile(r"(?<=://)[^\s/]+@")


class Ending(IntEnum):
    DONE = 0
    FOUND = 1
    """It did its work and found something wrong."""
    USAGE = 2
    """Wrong usage or configuration."""
    UNREACHABLE = 3
    """TMC, the daemon, the store or a port."""
    INTERRUPTED = 130


class Failed(Exception):
    """Ends a command; each line goes to stderr."""

    def __init__(self, *lines: str, code: Ending) -> None:
        super().__init__(*lines)
        self.lines = lines
        self.code = code


def one_line(text: str) -> str:
    """Answer with one line, without what would steer a terminal: names are others' words."""
    line = " ".join(text.split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)


def without_login(text: str) -> str:
    """Answer with a text whose addresses have no user and password: logs of a CI keep it."""
    return _LOGIN.sub("…@", text)


def found_wrong(*lines: str) -> Failed:
    return Failed(*lines, code=Ending.FOUND)


def wrong_usage(*lines: str) -> Failed:
    return Failed(*lines, code=Ending.USAGE)


def unreachable(*lines: str) -> Failed:
    return Failed(*lines, code=Ending.UNREACHABLE)
