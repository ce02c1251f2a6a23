"""Endpoints behind their tokens."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tmcwatch.serving.access import AccessToken, May, refusal, token_of
from tmcwatch.serving.exchange import Endpoint

Tokens = Callable[[], Sequence[AccessToken]]
"""Asked at each request, so that a reload changes them."""
Authored = Callable[[Request, str], Awaitable[Response]]
"""An endpoint that is told the name of whose token it was asked with."""

_UNKNOWN = 401


def guarded(endpoint: Endpoint, tokens: Tokens, needed: May) -> Endpoint:
    async def checked(request: Request) -> Response:
        _check(request, tokens(), needed)
        return await endpoint(request)

    return checked


def authored(endpoint: Authored, tokens: Tokens) -> Endpoint:
    """Answer with an endpoint for those who may change something."""

    async def checked(request: Request) -> Response:
        token = _check(request, tokens(), May.CHANGE)
        return await endpoint(request, token.name if token else "")

    return checked


def _check(request: Request, tokens: Sequence[AccessToken], needed: May) -> AccessToken | None:
    authorization = request.headers.get("authorization")
    refused = refusal(authorization, tokens, needed=needed)
    if refused is None:
        return token_of(authorization, tokens)
    headers = {"WWW-Authenticate": "Bearer"} if refused.status == _UNKNOWN else None
    raise HTTPException(refused.status, refused.text, headers)
