"""A receiver over real sockets: keeps what it is sent, and answers as a test will have it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request, whatever its method."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Receiver:
    """Answers at once, unless `may_answer` is cleared."""

    status: int = 200
    answer: bytes = b""
    received: list[Received] = field(default_factory=list)
    address: str = ""
    """Host and port, once it is open."""
    may_answer: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def open(self) -> Iterator[None]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.address = f"127.0.0.1:{server.server_port}"
        self.may_answer.set()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            self.may_answer.set()
            server.shutdown()
            thread.join()
            server.server_close()


def _handler_of(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = dict(self.headers.items())
            receiver.received.append(
                Received(method=self.command, path=self.path, headers=headers, body=body)
            )
            receiver.may_answer.wait(10)
            self.send_response(receiver.status)
            self.send_header("Content-Length", str(len(receiver.answer)))
            self.end_headers()
            self.wfile.write(receiver.answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - as the server calls them

        def log_message(self, *_args: object) -> None: ...

    return Handler
