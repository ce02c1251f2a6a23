"""A server of one task, over real sockets: it checks, keeps and overwrites as its service does."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.contracts.sockets import listening

REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found", 422: "Unprocessable"}


@dataclass(kw_only=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, object] | None


@dataclass(kw_only=True)
class TaskServer:
    """Holds a task; the next answers may be given, each as a status, headers and a body."""

    path: str
    authorization: str
    task: dict[str, object]
    known: frozenset[str]
    required: dict[str, str] = field(default_factory=dict)
    wrapped: bool = False
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    is_silent: bool = False

    @property
    def bodies(self):
        return [request.body for request in self.requests if request.method == "PUT"]

    def answer(self, request):
        if self.answers:
            return self.answers.pop(0)
        if request.headers.get("authorization") != self.authorization:
            return 401, {}, b'{"message": "Unauthenticated."}'
        if request.path != self.path:
            return 404, {}, b'{"message": "task not found"}'
        if any(request.headers.get(name) != text for name, text in self.required.items()):
            return 400, {}, b'{"message": "a header is missing"}'
        if request.method == "PUT" and (problem := self.change(request.body)):
            return 422, {}, problem
        return 200, {}, json.dumps({"data": self.task} if self.wrapped else self.task).encode()

    def change(self, body):
        for name in body:
            if name not in self.known:
                return json.dumps({"errors": {name: ["is unknown"]}}).encode()
        fields = self.task.get("taskdata", {}) | body.get("taskdata", {})
        self.task |= body | ({"taskdata": fields} if fields else {})
        return b""

    @asynccontextmanager
    async def serving(self, tls=None):
        async with listening(self._handle, tls=tls) as port:
            yield port

    async def _handle(self, stream):
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                received += await stream.receive()
            head, _, rest = received.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
            length = int(headers.get("content-length", 0))
            while len(rest) < length:
                rest += await stream.receive()
            body, received = rest[:length], rest[length:]
            method, path, _ = first.split()
            content = json.loads(body) if body else None
            request = Request(method=method, path=path, headers=headers, body=content)
            self.requests.append(request)
            if not self.is_silent:
                await self._send(stream, self.answer(request))

    async def _send(self, stream, answer):
        status, headers, body = answer
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
        await stream.send("\r\n".join(lines).encode() + body)
