"""A process that has loaded the daemon, and forks: most of a start is loading.

Called as `python -m tests.process.forking` with a socket as its standard input. A message there
says with which words a life begins, and comes with three files: those that it writes to, and one
that is told its process id and, once it is over, its exit code.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

# Loading all that a life needs takes longer than the life.
import uvicorn.lifespan.off
import uvicorn.protocols.http.auto  # noqa: F401

import tmcwatch.cli.run
import tmcwatch.cli.simulate
import tmcwatch.notifiers.webhook  # noqa: F401
from tests.process import crashing
from tmcwatch.cli.commands import tmcwatch as command

LONGEST = 65_536
"""Bytes of a message."""


def serve(wishes: socket.socket) -> None:
    """Fork until nobody wishes for more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for a life
    while True:
        wish, files, *_ = socket.recv_fds(wishes, LONGEST, 3)
        if not wish:
            return
        if os.fork() == 0:
            wishes.close()
            watch_over(json.loads(wish), *files)
        for file in files:
            os.close(file)


def watch_over(life: dict[str, object], out: int, err: int, told: int) -> NoReturn:
    """Begin a life, and tell of it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    process = os.fork()
    if process == 0:
        os.close(told)
        for stream, file in ((1, out), (2, err)):
            os.dup2(file, stream)
            os.close(file)
        live(**life)  # type: ignore[arg-type]  # as it was sent
        sys.exit()
    os.close(out)
    os.close(err)
    os.write(told, b"%d\n" % process)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    os._exit(0)


def live(program: str, words: Sequence[str], env: Mapping[str, str]) -> None:
    """Be the daemon, or the one that kills itself, as if started by itself."""
    os.environ.update(env)
    if program == "crashing":
        crashing.main(*words)
    else:
        command.main(words, prog_name=program)


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as wishes:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        serve(wishes)
