"""The HTTP server: bound before anything starts, stopped without cutting an answer off."""

import errno
import os
import socket
from contextlib import AbstractContextManager, nullcontext

import anyio
import uvicorn
from anyio.abc import TaskStatus
from starlette.types import ASGIApp

FINISH_WITHIN = 5.0
"""Seconds that answers under way are given at a stop."""
KEEP_ALIVE = 5
"""Seconds that a connection may be idle."""
MOST_CONNECTIONS = 100

_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class ListenError(Exception):
    """The address cannot be listened on: one line that names it and says why."""


def bind(listen: str) -> socket.socket:
    """Bind `host:port`, `[ipv6]:port` or, for every address there is, `:port`.

    Port 0 takes a free one. From then on connections queue until they are served.
    """
    host, port = _host_and_port(listen)
    try:
        sock = _bound(host, port) if host else _bound_everywhere(port)
        # Connections inherit it; without, small answers wait for each other.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except UnicodeError as error:
        raise ListenError(f"http.listen {listen}: not a host name") from error
    except OSError as error:
        raise ListenError(f"http.listen {listen}: {_reason(error)}") from error
    return sock


def address_of(sock: socket.socket) -> str:
    """Answer with the address as it is written in the configuration, the real port included."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if sock.family is socket.AF_INET6 else f"{host}:{port}"


async def serve(
    app: ASGIApp,
    *,
    sock: socket.socket,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; then take no more, and finish what is under way.

    Reports the bound address when it answers. `sock` stays open, for another call after a crash.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=int(FINISH_WITHIN) - 1,
            limit_concurrency=MOST_CONNECTIONS,
        )
    )
    # Shielded, so that a stop lets the server finish; `should_exit` ends it, or the deadline.
    running = anyio.CancelScope(shield=True)

    async def run() -> None:
        with running:
            await server.serve(sockets=[sock.dup()])
        if not server.should_exit:
            raise RuntimeError("the HTTP server ended by itself")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            await server.answers.wait()
            task_status.started(address_of(sock))
            await anyio.sleep_forever()
        finally:
            server.should_exit = True
            running.deadline = anyio.current_time() + FINISH_WITHIN


class _Server(uvicorn.Server):
    """Uvicorn without its hold on the process's signals, telling when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = anyio.Event()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.answers.set()


def _host_and_port(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    is_number = port.isascii() and port.isdigit() and int(port[:6]) < 2**16
    if not colon or not is_number or (":" in host and not is_bracketed):
        raise ListenError(
            f"http.listen {listen}: not an address such as 127.0.0.1:10477, [::1]:10477 or :10477"
        )
    return (host[1:-1] if is_bracketed else host), int(port)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def _bound_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            # Where IPv6 is compiled in but switched off, the older protocol still serves.
            if error.errno not in _NOT_HERE:
                raise
    return socket.create_server(("", port))


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"no such host: {error.strerror}"
    return os.strerror(error.errno or 0).lower()
