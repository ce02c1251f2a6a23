"""The door of the simulated TMC: token, clock, journal, and the faults of the connection."""

import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tmcwatch.simulator.faults import Fault
from tmcwatch.simulator.journal import Recorded
from tmcwatch.simulator.orchestration import Orchestration
from tmcwatch.simulator.processing import SKEW, Processing
from tmcwatch.simulator.promoting import Promoting
from tmcwatch.simulator.queries import Refused
from tmcwatch.simulator.security import OAUTH, Security
from tmcwatch.simulator.simulator import Simulator

# Where serving.py puts what can drop the real connection.
CONNECTION = "tmcwatch.connection"
TRICKLES = 20
MESSAGES = {
    403: "Forbidden",
    429: "Too many requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, before a fault gets hold of it."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = field(default_factory=tuple)


def api_app(simulator: Simulator) -> ASGIApp:
    """Make the simulated TMC as an ASGI application, for asyncio and trio alike."""

    async def refused(_request: Request, error: Exception) -> Response:
        if isinstance(error, Refused):
            return _error(simulator, error.status, error.message)
        assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
        return _error(simulator, error.status_code, error.detail)

    inner = Starlette(
        routes=[
            *Promoting(simulator).routes(),
            *Processing(simulator).routes(),
            *Orchestration(simulator).routes(),
            *Security(simulator).routes(),
        ],
        exception_handlers={Refused: refused, HTTPException: refused},
    )
    return _Front(simulator, inner)


class _Front:
    """Answers within, then sends the answer as the faults will have it."""

    def __init__(self, simulator: Simulator, inner: ASGIApp) -> None:
        self._simulator = simulator
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        faults = self._simulator.faults
        body = await _read(receive)
        if faults.strike("reset", path):
            self._record(scope, body, None)
            await self._drop(scope, receive, "reset")
            return
        shift = faults.strike("clock_skew", path)
        skew = timedelta(seconds=shift.number("seconds") if shift else 0.0)
        shown_time = self._simulator.time() + skew
        answer = self._turned_away(scope, shown_time)
        if answer is None:
            inner_scope = {**scope, SKEW: skew // timedelta(milliseconds=1)}
            answer = await _answer_of(self._inner, inner_scope, body)
        self._record(scope, body, answer.status)
        dated = (*answer.headers, (b"date", _http_date(shown_time)))
        await self._deliver(replace(answer, headers=dated), scope, receive, send)

    def _turned_away(self, scope: Scope, shown_time: datetime) -> Answer | None:
        """Refuse at the gateway: throttled, out of order, or without a good token."""
        simulator, path = self._simulator, scope["path"]
        clock = simulator.time().timestamp()
        if fault := simulator.faults.strike("throttle", path, clock=clock):
            return _throttled(simulator, fault, shown_time)
        if fault := simulator.faults.strike("error", path):
            status = int(fault.number("status"))
            if fault.text("body") == "html":
                return _html(status)
            return _whole(_error(simulator, status, MESSAGES[status]))
        revoked = simulator.faults.strike("revoked_token", path)
        if revoked or not self._is_known(scope):
            detail = "Token authorization is required for access"
            return _whole(JSONResponse({"status": 401, "detail": detail}, 401))
        if simulator.faults.strike("forbidden", path):
            return _whole(_error(simulator, 403, MESSAGES[403]))
        return None

    def _is_known(self, scope: Scope) -> bool:
        given = _header(scope, b"authorization")
        if scope["path"] == OAUTH:
            return self._simulator.tokens.know(given)
        return self._simulator.tokens.admit(given, self._simulator.time())

    async def _deliver(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        faults, path = self._simulator.faults, scope["path"]
        if fault := faults.strike("stall", path):
            await _begin(answer, send)
            # Empty, so that the server flushes the head of the answer.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            with anyio.move_on_after(fault.number("seconds")):
                await _disconnected(receive)
                return
            await self._drop(scope, receive, "close")
        elif fault := faults.strike("slow", path):
            await _trickle(answer, send, fault.number("seconds"))
        elif fault := faults.strike("cut", path):
            await self._cut(answer, fault, scope, receive, send=send)
        else:
            await _send_whole(answer, send)

    async def _cut(
        self, answer: Answer, fault: Fault, scope: Scope, receive: Receive, *, send: Send
    ) -> None:
        part = answer.body[: int(len(answer.body) * fault.number("keep"))]
        if not fault.options["connection"]:
            await _send_whole(replace(answer, body=part), send)
            return
        await _begin(answer, send)
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await self._drop(scope, receive, "close")

    async def _drop(self, scope: Scope, receive: Receive, how: str) -> None:
        connection = scope.get("extensions", {}).get(CONNECTION)
        if connection is None:
            raise self._simulator.connection_lost(f"connection dropped by the simulator: {how}")
        connection[how]()
        await _disconnected(receive)

    def _record(self, scope: Scope, body: bytes, status: int | None) -> None:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        # Whoever asks for a token may show the secret elsewhere than in the header.
        shown = (query, _json_or_none(body)) if scope["path"] != OAUTH else ({}, None)
        self._simulator.journal.add(
            Recorded(
                at=self._simulator.time(),
                method=scope["method"],
                path=scope["path"],
                query=shown[0],
                body=shown[1],
                status=status,
                talend_version=_header(scope, b"talend-version"),
            )
        )


def _throttled(simulator: Simulator, fault: Fault, shown_time: datetime) -> Answer:
    style = fault.text("style")
    if style == "html":
        return _html(429)
    answer = _whole(_error(simulator, 429, MESSAGES[429]))
    after = fault.number("retry_after")
    if style == "none":
        return answer
    # Rounded up, as a server would: to come back earlier would be too early.
    value = f"{-(-after // 1):.0f}".encode()
    if style == "date":
        value = _http_date(shown_time + timedelta(seconds=after))
    return replace(answer, headers=(*answer.headers, (b"retry-after", value)))


def _error(simulator: Simulator, status: int, message: str) -> Response:
    request_id = f"00000000-0000-4000-8000-{simulator.journal.total:012d}"
    content = {"status": status, "message": message, "requestId": request_id}
    return JSONResponse(content, status)


def _html(status: int) -> Answer:
    text = f"<html><head><title>{status}</title></head><body>{MESSAGES[status]}</body></html>"
    return Answer(status=status, body=text.encode(), headers=((b"content-type", b"text/html"),))


def _whole(response: Response) -> Answer:
    kept = tuple(header for header in response.raw_headers if header[0] != b"content-length")
    return Answer(status=response.status_code, body=bytes(response.body), headers=kept)


async def _answer_of(inner: ASGIApp, scope: Scope, body: bytes) -> Answer:
    """Run the application within and keep what it sends."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await inner(scope, receive, send)
    headers = tuple(header for header in sent[0]["headers"] if header[0] != b"content-length")
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(status=sent[0]["status"], body=content, headers=headers)


async def _send_whole(answer: Answer, send: Send) -> None:
    await _begin(answer, send)
    await send({"type": "http.response.body", "body": answer.body})


async def _trickle(answer: Answer, send: Send, seconds: float) -> None:
    await _begin(answer, send)
    size = len(answer.body) // TRICKLES + 1
    for position in range(0, len(answer.body), size):
        await anyio.sleep(seconds / TRICKLES)
        part = answer.body[position : position + size]
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _begin(answer: Answer, send: Send) -> None:
    length = (b"content-length", str(len(answer.body)).encode())
    headers = [*answer.headers, length]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return None


def _http_date(moment: datetime) -> bytes:
    return format_datetime(moment, usegmt=True).encode()


def _json_or_none(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
