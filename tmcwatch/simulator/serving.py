"""Real servers for the simulator: TMC and its control port, on sockets of loopback."""

import errno
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tmcwatch.simulator.control import control_app
from tmcwatch.simulator.front import CONNECTION, api_app
from tmcwatch.simulator.simulator import Simulator

# On, for no seconds: closing the socket then resets the connection.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The base URLs of a served simulator."""

    api: str
    control: str


@asynccontextmanager
async def served(
    simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0, control_port: int = 0
) -> AsyncIterator[Addresses]:
    """Serve a simulator while the block runs; only under asyncio, which uvicorn needs.

    Port 0 lets the system choose. Raise OSError when a port is in use.
    """
    with _bound(host, port) as api_socket, _bound(host, control_port) as control_socket:
        servers = [
            (_server(_with_connection(api_app(simulator))), api_socket),
            (_server(control_app(simulator)), control_socket),
        ]
        async with anyio.create_task_group() as group:
            for server, listening in servers:
                group.start_soon(server.serve_until_stopped, listening)
            # Shielded, because uvicorn does not tidy up what is stopped before it has started.
            with anyio.CancelScope(shield=True):
                for server, _ in servers:
                    await server.ready.wait()
            try:
                yield Addresses(api=_url(host, api_socket), control=_url(host, control_socket))
            finally:
                for server, _ in servers:
                    _stop(server)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = anyio.Event()

    async def serve_until_stopped(self, listening: socket.socket) -> None:
        # Shielded, because only a stop closes the connections; it comes when the block is left.
        with anyio.CancelScope(shield=True):
            await self.serve([listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when it is done."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever serves."""
        yield


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        # The date is TMC's, which may be off; uvicorn would add the true one.
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


def _stop(server: _Server) -> None:
    server.should_exit = True
    # A stalled answer would hold up the end until its client gives up.
    for connection in list(server.server_state.connections):
        connection.transport.abort()


def _with_connection(app: ASGIApp) -> ASGIApp:
    """Hand the connection to the application, so that its faults can drop it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's `send` is a method of the cycle that knows the transport; ASGI has no way.
        transport = getattr(send, "__self__").transport  # noqa: B009 - typed as a function

        def reset() -> None:
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            transport.abort()

        connection = {"reset": reset, "close": transport.close}
        extensions = {**scope.get("extensions", {}), CONNECTION: connection}
        await app({**scope, "extensions": extensions}, receive, send)

    return wrapped


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    # The protocol is named, because asyncio turns Nagle's delay off only where it is.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen()
        except OSError as error:
            number = error.errno or errno.EADDRINUSE
            raise OSError(number, f"cannot listen on {host}:{port}: {error.strerror}") from error
        yield listening


def _url(host: str, listening: socket.socket) -> str:
    return f"http://{host}:{listening.getsockname()[1]}"
