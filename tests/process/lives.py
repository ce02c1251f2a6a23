"""Lives of the daemon, each a process of its own that can be killed, but loaded only once."""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO

import anyio


class Life:
    """A process forked from one that has loaded everything; it is asked like one of Popen's."""

    def __init__(
        self, program: str, words: Sequence[str], env: Mapping[str, str], *files: IO[bytes]
    ) -> None:
        told, its_end = os.pipe()
        self.told = os.fdopen(told)
        wish = {"program": program, "words": words, "env": dict(env)}
        try:
            ends = [*(file.fileno() for file in files), its_end]
            socket.send_fds(_loaded(), [json.dumps(wish).encode()], ends)
        finally:
            os.close(its_end)
        self.pid = int(self.told.readline())
        self._code: int | None = None

    def poll(self) -> int | None:
        """Answer with the exit code, None while it lives."""
        return self._code if self._code is not None or not self._is_over(0) else self.wait()

    def wait(self, within: float | None = None) -> int:
        """Wait until it is over; answers with the exit code."""
        if self._code is None:
            if not self._is_over(within):
                raise TimeoutError
            with self.told:
                self._code = int(self.told.readline())
        return self._code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _is_over(self, within: float | None) -> bool:
        return bool(select.select([self.told], [], [], within)[0])


@cache
def _loaded() -> socket.socket:
    """Begin the process that lives are forked from; it ends with the tests."""
    ours, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its_end:
        words = [sys.executable, "-m", "tests.process.forking"]
        process = subprocess.Popen(words, stdin=its_end.fileno())

    @atexit.register
    def end() -> None:
        ours.close()
        process.wait()

    return ours


@dataclass
class Lives:
    """One life after the other, which all write to one log."""

    log: Path
    last: Life | None = None

    async def begin(self, program: str, *words: str) -> None:
        with self.log.open("ab") as log:
            begin = partial(Life, program, words, {}, log, log)
            self.last = await anyio.to_thread.run_sync(begin)

    def kill(self) -> None:
        if self.last:
            self.last.kill()

    async def end(self) -> int:
        """Wait until the life is over; answers with its exit code."""
        assert self.last
        await anyio.wait_readable(self.last.told)
        return self.last.wait()
