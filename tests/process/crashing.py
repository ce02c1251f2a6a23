"""The real daemon that kills itself right before or right after a commit: a program of its own."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio

from tmcwatch.app import Daemon, World, real_world
from tmcwatch.app.world import InThread
from tmcwatch.config import load
from tmcwatch.store.engine import Connection, Store
from tmcwatch.telemetry.logs import configure
from tmcwatch.telemetry.metrics import Metrics

COMMITS = frozenset(
    {
        "_remember",
        "absorb_names",
        "absorb",
        "decide",
        "settle",
        "_send_next",
        "_record",
        "_postpone",
        "_bury",
        "_release",
    }
)
"""The functions that the budgets, tracking, alerting and delivering commit."""
HARMLESS = frozenset(
    {"_clean_up", "begin", "_register", "_in_trouble", "_hold", "note_throttling"}
)
"""The functions that commit what an earlier life or the config left to be done, or what any later
round finds again."""
UNHEARD_OF = 4
"""The exit code where something else is committed: there, too, it must be killed."""


@dataclass
class Crash:
    """Dies at a commit of one kind: the one with this number of those that change anything."""

    commit: str
    """The function whose work is committed."""
    moment: str
    number: int

    def world(self, outside: World) -> World:
        """Answer with the world outside, where every write passes by here on its way."""

        async def in_thread(work: Callable[..., Any], /, *args: Any) -> Any:
            if getattr(work, "__func__", None) is Store.write:
                name = name_of(args[0])
                if name not in COMMITS | HARMLESS:
                    os._exit(UNHEARD_OF)
                if name == self.commit:
                    work = partial(self._write, work)
            return await outside.in_thread(work, *args)

        return replace(outside, in_thread=cast("InThread", in_thread))

    def _write(self, write: Callable[..., Any], work: Callable[[Connection], Any]) -> Any:
        reached = False

        def watched(connection: Connection) -> Any:
            nonlocal reached
            before = changes(connection)
            result = work(connection)
            if changes(connection) > before:
                self.number -= 1
                reached = self.number == 0
            if reached and self.moment == "before":
                die()
            return result

        result = write(watched)
        if reached:
            die()
        return result


def name_of(work: Any) -> str:
    """Answer with the name of a function that does a transaction, or that a lambda stands in."""
    name: str = getattr(work, "func", work).__qualname__
    return name.removesuffix(".<locals>.<lambda>").rpartition(".")[2]


def changes(connection: Connection) -> int:
    count: int = connection.connection.dbapi_connection.total_changes  # type: ignore[union-attr]
    return count


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def run(crash: Crash, path: Path) -> None:
    world = crash.world(real_world(os.environ))
    config = load(path, environ=world.environ)
    configure("info", "json", stream=sys.stderr, clock=world.now)
    await Daemon(path, config, world, Metrics(version="crashing")).run()


def main(commit: str, moment: str, number: str, path: str) -> None:
    anyio.run(run, Crash(commit, moment, int(number)), Path(path))
