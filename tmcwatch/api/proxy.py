"""The way to TMC through a proxy: what fails at the proxy is told as the proxy's."""

import ssl
from http import HTTPStatus

import httpx


class ThroughProxy(httpx.AsyncBaseTransport):
    """Sends every request through one proxy, and never shows its credentials."""

    def __init__(self, url: str, *, verify: ssl.SSLContext, limits: httpx.Limits) -> None:
        # The same authorities are trusted at the proxy, where it speaks TLS itself.
        is_secure = httpx.URL(url).scheme == "https"
        proxy = httpx.Proxy(url, ssl_context=verify if is_secure else None)
        self._shown = f"{proxy.url.host}:{proxy.url.port}" if proxy.url.port else proxy.url.host
        self._inner = httpx.AsyncHTTPTransport(verify=verify, proxy=proxy, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except httpx.ProxyError as error:
            raise httpx.ProxyError(f"{self._shown}: {error}") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if certificate_problem(error):
                raise
            raise httpx.ProxyError(f"{self._shown}: no connection to the proxy") from error
        if response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            # Its page may quote the credentials: it is not read.
            await response.aclose()
            raise httpx.ProxyError(f"{self._shown}: 407 Proxy Authentication Required")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class NoWay(httpx.AsyncBaseTransport):
    """Sends nothing, because the way it would have to take cannot be used."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        raise httpx.ProxyError(self._problem)


def certificate_problem(error: BaseException) -> str:
    """Answer with why a certificate was refused, or nothing where that is not what failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message or str(cause)
        cause = cause.__cause__ or cause.__context__
    return ""
