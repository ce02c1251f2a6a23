"""The HTTP endpoints: each asks one operation, and answers in JSON whatever happens."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tmcwatch.serving import attending, pages
from tmcwatch.serving.access import May
from tmcwatch.serving.exchange import answer, json_of, limit_of, refused
from tmcwatch.serving.fields import Fields, is_sound
from tmcwatch.serving.guarding import Tokens, guarded
from tmcwatch.serving.operations import Letters, NotKnown, Operations, Unavailable, WrongRequest
from tmcwatch.telemetry.health import Verdict

_SECURITY_HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}
"""Of every answer that does not say otherwise."""


def application(operations: Operations, tokens: Tokens) -> ASGIApp:
    """Answer with the ASGI application; it keeps nothing itself."""
    app = Starlette(
        routes=[
            *_probes(operations),
            *_readings(operations, tokens),
            *_changes(operations, tokens),
            *attending.routes(operations.attending, tokens),
            *pages.routes(operations.attending, tokens),
        ],
        exception_handlers=dict.fromkeys(
            (HTTPException, NotKnown, Unavailable, WrongRequest, Exception), refused
        ),
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
        return answer(await operations.status())

    async def transitions(request: Request) -> Response:
        return answer(await operations.transitions(limit_of(request)))

    async def deliveries(request: Request) -> Response:
        return answer(await operations.deliveries(limit_of(request)))

    async def owed(request: Request) -> Response:
        return answer(await operations.owed_deliveries(_asked(request), limit_of(request)))

    async def dead(request: Request) -> Response:
        return answer(await operations.dead_deliveries(_asked(request), limit_of(request)))

    async def promotions(_: Request) -> Response:
        return answer(await operations.promotions())

    endpoints = {
        "status": status,
        "promotions": promotions,
        "transitions": transitions,
        "deliveries": deliveries,
        "deliveries/pending": owed,
        "deliveries/dead": dead,
    }
    return [
        Route(f"/api/v1/{name}", guarded(endpoint, tokens, May.READ), methods=["GET"])
        for name, endpoint in endpoints.items()
    ]


def _changes(operations: Operations, tokens: Tokens) -> list[Route]:
    async def reload(_: Request) -> Response:
        problems = await operations.reload()
        if problems:
            return answer({"reloaded": False, "problems": list(problems)}, status=422)
        return answer({"reloaded": True})

    async def notify_test(request: Request) -> Response:
        return answer(await operations.notify_test(await _receiver(request)))

    async def follow_promotion(request: Request) -> Response:
        account, execution = await _promotion(request)
        content, is_new = await operations.follow_promotion(account, execution)
        return answer(content, status=202 if is_new else 200)

    async def replay(request: Request) -> Response:
        return answer(await operations.replay_deliveries(await _letters(request)))

    follow = guarded(follow_promotion, tokens, May.CHANGE)
    replaying = guarded(replay, tokens, May.CHANGE)
    return [
        Route("/api/v1/promotions", follow, methods=["POST"]),
        Route("/api/v1/deliveries/replay", replaying, methods=["POST"]),
        Route("/-/reload", guarded(reload, tokens, May.CHANGE), methods=["POST"]),
        Route("/api/v1/notify-test", guarded(notify_test, tokens, May.CHANGE), methods=["POST"]),
    ]


async def _promotion(request: Request) -> tuple[str | None, str]:
    match await json_of(request):
        case {"account": str(account), "execution": str(execution), **others} if not others:
            return account, execution
        case {"execution": str(execution), **others} if not others:
            return None, execution
        case _:
            example = '{"account": "prod", "execution": "00000000-0000-4000-8000-000000009001"}'
            raise HTTPException(400, f"a body such as {example} is needed")


async def _receiver(request: Request) -> str:
    match await json_of(request):
        case {"receiver": str(receiver), **others} if receiver and not others:
            return receiver
        case _:
            raise HTTPException(400, 'a body such as {"receiver": "oncall"} is needed')


def _asked(request: Request) -> str | None:
    """Answer with the receiver that is asked about; None means all."""
    fields = Fields(dict(request.query_params), ("receiver", "limit"))
    return fields.text("receiver")


async def _letters(request: Request) -> Letters:
    match await json_of(request):
        case {"ids": [*ids], **others} if ids and not others and _are_texts(ids):
            return Letters(ids=tuple(ids))
        case {"receiver": str(receiver), **others} if _is_text(receiver) and not others:
            return Letters(receiver=receiver)
        case {"all": True, **others} if not others:
            return Letters()
        case _:
            examples = '{"ids": ["…"]}, {"receiver": "oncall"} or {"all": true}'
            raise HTTPException(400, f"a body such as {examples} is needed")


def _are_texts(values: Sequence[object]) -> bool:
    return all(_is_text(value) for value in values)


def _is_text(value: object) -> bool:
    """Tell whether a value is one that the store can be asked for."""
    return isinstance(value, str) and bool(value) and is_sound(value)


def _verdict(name: str, verdict: Verdict) -> Response:
    content = {name: verdict.ok, "reasons": list(verdict.reasons)}
    return answer(content, status=200 if verdict.ok else 503)


def _with_security_headers(app: ASGIApp) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                usual = [pair for pair in _SECURITY_HEADERS.items() if pair[0] not in said]
                message = {**message, "headers": [*message["headers"], *usual]}
            await send(message)

        await app(scope, receive, send_with_headers)

    return wrapped
