"""The wire between a daemon in virtual time and the TMC that another process plays to it."""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

import anyio
import httpx


class Asked(NamedTuple):
    """A request as it goes over the wire, with the seconds of virtual time since the start."""

    at: float
    method: str
    url: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Answered(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire(httpx.AsyncBaseTransport):
    """The network to a TMC in another process."""

    connection: Connection

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        url = str(request.url)
        asked = Asked(anyio.current_time(), request.method, url, request.headers.raw, body)
        self.connection.send(asked)
        # It blocks on purpose: a clock that jumps when all wait must not see this wait.
        answered: Answered = self.connection.recv()
        return httpx.Response(answered.status, headers=answered.headers, content=answered.body)
