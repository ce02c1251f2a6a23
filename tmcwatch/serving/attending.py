"""The HTTP endpoints by which people look at alerts and silences, and do something about them."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tmcwatch.domain.alert import Severity
from tmcwatch.domain.attention import OPEN, Act, State
from tmcwatch.domain.matcher import Matcher, Operator
from tmcwatch.serving.access import May, token_of
from tmcwatch.serving.exchange import MOST_ROWS, Endpoint, answer, json_of, limit_of
from tmcwatch.serving.fields import Fields, matcher, one_of
from tmcwatch.serving.guarding import Tokens, authored, guarded
from tmcwatch.serving.operations import Attending, Deed, Hush, Wanted

_FILTERS = ("rule", "severity", "account", "matcher", "state", "limit")
_SEVERITIES = {one.value: one for one in Severity}
_STATES: Mapping[str, frozenset[State]] = {
    "open": OPEN,
    **{one.value: frozenset({one}) for one in State},
    "all": frozenset(State),
}
_FREE_FORM = frozenset({Operator.MATCH, Operator.NOT_MATCH})
_YES_OR_NO = {"true": True, "false": False}
_ACTS = {
    "acknowledge": Act.ACKNOWLEDGED,
    "snooze": Act.SNOOZED,
    "note": Act.NOTED,
    "close": Act.CLOSED,
}
_LASTING = frozenset({Act.ACKNOWLEDGED, Act.SNOOZED})


def routes(operations: Attending, tokens: Tokens) -> list[Route]:
    return [
        *_readings(operations, tokens),
        *(_deed(operations, tokens, name, act) for name, act in _ACTS.items()),
        *_silencing(operations, tokens),
    ]


def _readings(operations: Attending, tokens: Tokens) -> list[Route]:
    async def alerts(request: Request) -> Response:
        return answer(await operations.alerts(_wanted(request, tokens)))

    async def alert(request: Request) -> Response:
        return answer(await operations.alert(request.path_params["id"]))

    async def silences(request: Request) -> Response:
        fields = Fields(dict(request.query_params), ("expired",))
        expired = one_of("expired", fields.text("expired") or "false", _YES_OR_NO)
        return answer(await operations.silences(expired))

    return [
        Route("/api/v1/alerts", guarded(alerts, tokens, May.READ), methods=["GET"]),
        Route("/api/v1/alerts/{id}", guarded(alert, tokens, May.READ), methods=["GET"]),
        Route("/api/v1/silences", guarded(silences, tokens, May.READ), methods=["GET"]),
    ]


def _deed(operations: Attending, tokens: Tokens, name: str, act: Act) -> Route:
    async def attend(request: Request, token: str) -> Response:
        deed = await _deed_of(request, act, token)
        return answer(await operations.attend(deed))

    return Route(f"/api/v1/alerts/{{id}}/{name}", authored(attend, tokens), methods=["POST"])


def _silencing(operations: Attending, tokens: Tokens) -> list[Route]:
    async def add(request: Request, token: str) -> Response:
        return answer(await operations.add_silence(await _hush_of(request, token)), status=201)

    async def expire(request: Request, _: str) -> Response:
        return answer(await operations.expire_silence(request.path_params["id"]))

    adding: Endpoint = authored(add, tokens)
    expiring: Endpoint = authored(expire, tokens)
    return [
        Route("/api/v1/silences", adding, methods=["POST"]),
        Route("/api/v1/silences/{id}", expiring, methods=["DELETE"]),
    ]


def _wanted(request: Request, tokens: Tokens) -> Wanted:
    query = request.query_params
    Fields(dict(query), _FILTERS)
    matchers = tuple(matcher("matcher", text) for text in query.getlist("matcher"))
    _check_matchers(request, tokens, matchers)
    states = [one_of("state", text, _STATES) for text in query.getlist("state")]
    return Wanted(
        rules=tuple(query.getlist("rule")),
        severities=tuple(
            one_of("severity", text, _SEVERITIES) for text in query.getlist("severity")
        ),
        accounts=tuple(query.getlist("account")),
        matchers=matchers,
        states=frozenset().union(*states),
        most=limit_of(request, MOST_ROWS),
    )


def _check_matchers(request: Request, tokens: Tokens, matchers: tuple[Matcher, ...]) -> None:
    """Take regular expressions only from those who have a token, reading being open to all."""
    # One that backtracks without end would hold up the whole process.
    if any(one.operator in _FREE_FORM for one in matchers) and not token_of(
        request.headers.get("authorization"), tokens()
    ):
        raise HTTPException(403, "matcher: regular expressions need a token")


async def _deed_of(request: Request, act: Act, token: str) -> Deed:
    known = ("note", "for", "by") if act in _LASTING else ("note", "by")
    fields = Fields(await json_of(request, empty={}), known)
    return Deed(
        alert=request.path_params["id"],
        act=act,
        author=fields.author("by", token),
        text=fields.needed("note") if act is Act.NOTED else fields.text("note") or "",
        lasts=fields.text("for"),
    )


async def _hush_of(request: Request, token: str) -> Hush:
    known = ("matchers", "for", "comment", "starts_at", "by")
    fields = Fields(await json_of(request), known)
    return Hush(
        matchers=fields.matchers("matchers"),
        lasts=fields.needed("for"),
        comment=fields.needed("comment"),
        starts_at=fields.text("starts_at"),
        author=fields.author("by", token),
    )
