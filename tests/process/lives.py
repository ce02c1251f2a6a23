"""Lives of the daemon: one after the other, each a process of its own that can be killed."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import ByteSendStream
from anyio.streams.buffered import BufferedByteReceiveStream


@dataclass
class Lives:
    """Forked from one process that has loaded everything: most of a start is loading."""

    log: Path
    words: ByteSendStream
    answers: BufferedByteReceiveStream
    process: int = 0
    """The life that was begun last."""

    async def begin(self, program: str, *words: str) -> None:
        life = {"log": str(self.log), "program": program, "words": words}
        await self.words.send(json.dumps(life).encode() + b"\n")
        self.process = await self._answer()

    def kill(self) -> None:
        os.kill(self.process, signal.SIGKILL)

    async def end(self) -> int:
        """Wait until the life is over; answers with its exit code."""
        return await self._answer()

    async def _answer(self) -> int:
        return int(await self.answers.receive_until(b"\n", 100))


@asynccontextmanager
async def lives(log: Path) -> AsyncIterator[Lives]:
    """Begin and end the process that they are forked from."""
    words = [sys.executable, "-m", "tests.process.forking"]
    async with await anyio.open_process(words, stderr=None) as process:
        assert process.stdin
        assert process.stdout
        yield Lives(log, process.stdin, BufferedByteReceiveStream(process.stdout))
