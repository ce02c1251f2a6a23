"""The HTTP endpoints: each asks one operation, and answers in JSON whatever happens."""

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tmcwatch.serving.access import AccessToken, May, refusal
from tmcwatch.serving.operations import (
    Json,
    Letters,
    NotKnown,
    Operations,
    Unavailable,
    WrongRequest,
)
from tmcwatch.telemetry.health import Verdict

LARGEST_BODY = 64 * 1024
READ_BODY_WITHIN = 10.0
"""Seconds."""
MOST_ROWS = 1000
USUAL_ROWS = 100

Endpoint = Callable[[Request], Awaitable[Response]]
Tokens = Callable[[], Sequence[AccessToken]]
"""Asked at each request, so that a reload changes them."""

_SECURITY_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


def application(operations: Operations, tokens: Tokens) -> ASGIApp:
    """Answer with the ASGI application; it keeps nothing itself."""
    app = Starlette(
        routes=[
            *_probes(operations),
            *_readings(operations, tokens),
            *_changes(operations, tokens),
        ],
        exception_handlers={
            HTTPException: _http_error,
            NotKnown: _not_known,
            Unavailable: _unavailable,
            WrongRequest: _wrong_request,
            Exception: _crashed,
        },
    )
    app.router.redirect_slashes = False
    return _with_security_headers(app)


def _probes(operations: Operations) -> list[Route]:
    """Routes that are open to all, as kubelets and scrapers carry no token."""

    async def metrics(request: Request) -> Response:
        content, content_type = await operations.metrics(request.headers.get("accept"))
        return Response(content, headers={"content-type": content_type})

    async def healthy(_: Request) -> Response:
        return _verdict("healthy", operations.health.healthy())

    async def ready(_: Request) -> Response:
        return _verdict("ready", operations.health.ready())

    async def fresh(_: Request) -> Response:
        return _verdict("fresh", await operations.fresh())

    return [
        Route("/metrics", metrics),
        Route("/-/healthy", healthy),
        Route("/livez", healthy),
        Route("/-/ready", ready),
        Route("/readyz", ready),
        Route("/-/fresh", fresh),
    ]


def _readings(operations: Operations, tokens: Tokens) -> list[Route]:
    async def status(_: Request) -> Response:
        return _answer(await operations.status())

    async def alerts(_: Request) -> Response:
        return _answer(await operations.alerts())

    async def transitions(request: Request) -> Response:
        return _answer(await operations.transitions(_limit(request)))

    async def deliveries(request: Request) -> Response:
        return _answer(await operations.deliveries(_limit(request)))

    async def owed(request: Request) -> Response:
        return _answer(await operations.owed_deliveries(_asked(request), _limit(request)))

    async def dead(request: Request) -> Response:
        return _answer(await operations.dead_deliveries(_asked(request), _limit(request)))

    async def promotions(_: Request) -> Response:
        return _answer(await operations.promotions())

    endpoints = {
        "status": status,
        "promotions": promotions,
        "alerts": alerts,
        "transitions": transitions,
        "deliveries": deliveries,
        "deliveries/pending": owed,
        "deliveries/dead": dead,
    }
    return [
        Route(f"/api/v1/{name}", _guarded(endpoint, tokens, May.READ), methods=["GET"])
        for name, endpoint in endpoints.items()
    ]


def _changes(operations: Operations, tokens: Tokens) -> list[Route]:
    async def reload(_: Request) -> Response:
        problems = await operations.reload()
        if problems:
            return _answer({"reloaded": False, "problems": list(problems)}, status=422)
        return _answer({"reloaded": True})

    async def notify_test(request: Request) -> Response:
        return _answer(await operations.notify_test(await _receiver(request)))

    async def follow_promotion(request: Request) -> Response:
        account, execution = await _promotion(request)
        content, is_new = await operations.follow_promotion(account, execution)
        return _answer(content, status=202 if is_new else 200)

    async def replay(request: Request) -> Response:
        return _answer(await operations.replay_deliveries(await _letters(request)))

    follow = _guarded(follow_promotion, tokens, May.CHANGE)
    replaying = _guarded(replay, tokens, May.CHANGE)
    return [
        Route("/api/v1/promotions", follow, methods=["POST"]),
        Route("/api/v1/deliveries/replay", replaying, methods=["POST"]),
        Route("/-/reload", _guarded(reload, tokens, May.CHANGE), methods=["POST"]),
        Route("/api/v1/notify-test", _guarded(notify_test, tokens, May.CHANGE), methods=["POST"]),
    ]


def _guarded(endpoint: Endpoint, tokens: Tokens, needed: May) -> Endpoint:
    async def guarded(request: Request) -> Response:
        refused = refusal(request.headers.get("authorization"), tokens(), needed=needed)
        if refused is None:
            return await endpoint(request)
        headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else None  # noqa: PLR2004
        raise HTTPException(refused.status, refused.text, headers)

    return guarded


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(USUAL_ROWS))
    if text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ROWS)):
        limit = int(text)
        if 1 <= limit <= MOST_ROWS:
            return limit
    raise HTTPException(400, f"limit: a number from 1 to {MOST_ROWS} is needed")


async def _promotion(request: Request) -> tuple[str | None, str]:
    match await _json(request):
        case {"account": str(account), "execution": str(execution), **others} if not others:
            return account, execution
        case {"execution": str(execution), **others} if not others:
            return None, execution
        case _:
            example = '{"account": "prod", "execution": "00000000-0000-4000-8000-000000009001"}'
            raise HTTPException(400, f"a body such as {example} is needed")


async def _receiver(request: Request) -> str:
    match await _json(request):
        case {"receiver": str(receiver), **others} if receiver and not others:
            return receiver
        case _:
            raise HTTPException(400, 'a body such as {"receiver": "oncall"} is needed')


def _asked(request: Request) -> str | None:
    """Answer with the receiver that is asked about; None means all."""
    return request.query_params.get("receiver")


async def _letters(request: Request) -> Letters:
    match await _json(request):
        case {"ids": [*ids], **others} if ids and not others and _are_texts(ids):
            return Letters(ids=tuple(ids))
        case {"receiver": str(receiver), **others} if receiver and not others:
            return Letters(receiver=receiver)
        case {"all": True, **others} if not others:
            return Letters()
        case _:
            examples = '{"ids": ["…"]}, {"receiver": "oncall"} or {"all": true}'
            raise HTTPException(400, f"a body such as {examples} is needed")


def _are_texts(values: Sequence[object]) -> bool:
    return all(isinstance(value, str) for value in values)


async def _json(request: Request) -> object:
    try:
        return json.loads(await _body(request))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is not JSON") from error


async def _body(request: Request) -> bytes:
    body = b""
    try:
        with anyio.fail_after(READ_BODY_WITHIN):
            async with aclosing(request.stream()) as parts:
                async for part in parts:
                    body += part
                    if len(body) > LARGEST_BODY:
                        raise HTTPException(413, f"the body is longer than {LARGEST_BODY} bytes")
    except TimeoutError as error:
        raise HTTPException(408, "the body did not arrive in time") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the body was cut off") from error
    return body


def _verdict(name: str, verdict: Verdict) -> Response:
    content = {name: verdict.ok, "reasons": list(verdict.reasons)}
    return _answer(content, status=200 if verdict.ok else 503)


def _answer(content: Json, *, status: int = 200) -> Response:
    text = json.dumps(content, allow_nan=False) + "\n"
    return Response(text, status, media_type="application/json")


def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    response = _answer({"error": error.detail}, status=error.status_code)
    response.headers.update(error.headers or {})
    return response


def _not_known(_: Request, error: Exception) -> Response:
    return _answer({"error": str(error)}, status=404)


def _wrong_request(_: Request, error: Exception) -> Response:
    return _answer({"error": str(error)}, status=400)


def _unavailable(_: Request, error: Exception) -> Response:
    return _answer({"error": str(error)}, status=503)


def _crashed(_: Request, __: Exception) -> Response:
    # The server logs the exception; what it says is not for everyone.
    return _answer({"error": "internal error"}, status=500)


def _with_security_headers(app: ASGIApp) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_SECURITY_HEADERS]}
            await send(message)

        await app(scope, receive, send_with_headers)

    return wrapped
