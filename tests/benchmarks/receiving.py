"""A receiver of webhooks that keeps connections open, and knows when it was told of how much."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

import anyio
from anyio.abc import SocketAttribute, SocketStream

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True)
class Received:
    """What came: messages, and when the last one did, by `perf_counter`."""

    port: int
    messages: int = 0
    last_at: float = 0.0

    async def take(self, stream: SocketStream) -> None:
        """Answer requests of one connection, one after another."""
        pending = b""
        async with stream:
            while True:
                head, found, rest = pending.partition(b"\r\n\r\n")
                length = _length(head) if found else 0
                if found and len(rest) >= length:
                    pending = rest[length:]
                    self.messages += 1
                    self.last_at = perf_counter()
                    await stream.send(_ANSWER)
                    continue
                try:
                    pending += await stream.receive(262_144)
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0


@asynccontextmanager
async def receiver() -> AsyncIterator[Received]:
    """Take whatever is sent while the block runs."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    received = Received(port=listener.extra(SocketAttribute.local_port))
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, received.take)
        yield received
        group.cancel_scope.cancel()
