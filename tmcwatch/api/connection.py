"""The connection to one host: limits of time and size, and a pool that is renewed when lost."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx

from tmcwatch import __version__
from tmcwatch.api.body import read_body
from tmcwatch.api.budget import MOST_IN_FLIGHT
from tmcwatch.api.errors import Unavailable
from tmcwatch.api.proxy import NoWay, ThroughProxy, certificate_problem
from tmcwatch.api.token import Credential

API_VERSION = "2021-03"
MOST_BYTES = 20 * 1024 * 1024
MOST_ERROR_BYTES = 64 * 1024
RENEW_AFTER = 3
"""Pool timeouts in a row after which the pool is taken for lost."""
TIMEOUT = httpx.Timeout(connect=5, read=20, write=5, pool=5)
LIMITS = httpx.Limits(
    max_connections=MOST_IN_FLIGHT,
    max_keepalive_connections=MOST_IN_FLIGHT,
    keepalive_expiry=50,
)
NO_PROXY_ADDRESS = "the proxy of the account has no usable address"
UNUSABLE = "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is no http:// or https:// address of a proxy"
LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `first_byte_seconds` is how long that took to begin."""

    status: int
    headers: httpx.Headers
    body: bytes
    first_byte_seconds: float


def http_client(
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    verify: ssl.SSLContext | bool = True,
    proxy: str | None = None,
) -> httpx.AsyncClient:
    """Make the HTTP client of one account, with every limit that a request needs.

    A `transport` is the whole network: no proxy stands before it. Without one, and without a
    `proxy`, those of the environment are asked.
    """
    if transport is None and proxy is not None:
        transport = _through(proxy, verify=verify)
    try:
        return _client(transport, verify=verify)
    except (ImportError, ValueError, httpx.InvalidURL):
        # A state and no crash. Without the cause, which may quote what looks like a password.
        return _client(NoWay(UNUSABLE), verify=verify)


def _through(proxy: str, *, verify: ssl.SSLContext | bool) -> httpx.AsyncBaseTransport:
    trust = verify if isinstance(verify, ssl.SSLContext) else trusting(None)
    try:
        return ThroughProxy(proxy, verify=trust, limits=LIMITS)
    except (ValueError, httpx.InvalidURL):
        # httpx is stricter than the config. Without the cause, as above.
        return NoWay(NO_PROXY_ADDRESS)


def _client(
    transport: httpx.AsyncBaseTransport | None, *, verify: ssl.SSLContext | bool
) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        # A proxy that the environment names does not know our own loopback.
        mounts=None if transport else dict.fromkeys(LOOPBACK),
        verify=verify,
        timeout=TIMEOUT,
        follow_redirects=False,
        limits=LIMITS,
        headers={
            "User-Agent": f"tmcwatch/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "talend-version": API_VERSION,
        },
    )


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the usual authorities, and those of a file besides; raises OSError."""
    context = httpx.create_ssl_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


class Connection:
    """Sends requests through a client that is replaced when its pool is lost.

    No cancel scope goes round a request: httpx can lose a place in its pool to each cancellation.
    """

    def __init__(
        self, base_url: str, http: httpx.AsyncClient, *, renew: Callable[[], httpx.AsyncClient]
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = http
        self._renew = renew
        self._retired: httpx.AsyncClient | None = None
        self._pool_timeouts = 0

    async def aclose(self) -> None:
        for http in (self._http, self._retired):
            if http is not None:
                await http.aclose()

    def request(
        self,
        operation: str,
        path: str,
        *,
        query: dict[str, str | int],
        body: dict[str, object] | None,
        credential: Credential,
    ) -> httpx.Request:
        """Make a request to send; raises Unavailable where httpx takes the address for none."""
        try:
            return self._http.build_request(
                "GET" if body is None else "POST",
                self._base_url + path,
                params=query or None,
                json=body,
                headers={"Authorization": credential.header, "talend-version": API_VERSION},
            )
        except (UnicodeError, httpx.InvalidURL) as error:
            raise Unavailable(operation, f"no usable address: {error}") from error

    async def send(self, operation: str, request: httpx.Request) -> Answer:
        """Send once; raises Unavailable where there is no complete answer."""
        began = anyio.current_time()
        try:
            response = await self._http.send(request, stream=True)
            try:
                first_byte_seconds = anyio.current_time() - began
                body = await _body(operation, response)
            finally:
                await response.aclose()
        except httpx.PoolTimeout as error:
            await self._count_pool_timeout()
            raise Unavailable(operation, "no connection was free in time") from error
        except (httpx.RequestError, OSError) as error:
            raise Unavailable(operation, _in_words(error)) from error
        self._pool_timeouts = 0
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=body,
            first_byte_seconds=first_byte_seconds,
        )

    async def _count_pool_timeout(self) -> None:
        self._pool_timeouts += 1
        if self._pool_timeouts < RENEW_AFTER:
            return
        self._pool_timeouts = 0
        retired, self._retired, self._http = self._retired, self._http, self._renew()
        # Requests may still be under way in the one just replaced: it is closed the next time.
        if retired is not None:
            await retired.aclose()


async def _body(operation: str, response: httpx.Response) -> bytes:
    """Read the body within its limits; of an error only as much as a message needs."""
    if response.is_success:
        return await read_body(operation, response, most=MOST_BYTES)
    try:
        return await read_body(operation, response, most=MOST_ERROR_BYTES)
    except (httpx.RequestError, OSError, Unavailable):
        # The status has said what matters.
        return b""


def _in_words(error: httpx.RequestError | OSError) -> str:
    """Say what failed: many of these errors have a name and no text."""
    if problem := certificate_problem(error):
        return f"the certificate of the server is refused: {problem}"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
