"""A process that has loaded the daemon, and forks: each child is a life of it that is short.

Called as `python -m tests.process.forking`. A line of JSON says where a life logs to and with
which words it begins; the answers are its process id and, once it is over, its exit code.
"""

import json
import os
import sys
from collections.abc import Sequence

# Loading all that a life needs takes longer than the life.
import uvicorn.lifespan.off
import uvicorn.protocols.http.auto  # noqa: F401

import tmcwatch.cli.run
import tmcwatch.notifiers.webhook  # noqa: F401
from tests.process import crashing
from tmcwatch.cli.commands import tmcwatch as command


def live(log: str, program: str, words: Sequence[str]) -> None:
    """Be the daemon, or the one that kills itself, as if started by itself."""
    with open(log, "ab") as file:  # noqa: PTH123 - the files of a process are these
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    if program == "crashing":
        crashing.main(*words)
    else:
        command.main(words, prog_name=program)


if __name__ == "__main__":
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            live(**json.loads(line))
            sys.exit()
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
