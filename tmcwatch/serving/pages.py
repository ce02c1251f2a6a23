"""Pages that links in messages lead to: one alert with what to do about it, and all that fire."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tmcwatch.domain.attention import OPEN, Act
from tmcwatch.domain.matcher import Matcher, Operator
from tmcwatch.serving.access import May, Scheme, login, refusal, token_of
from tmcwatch.serving.exchange import Endpoint, body_of, explained
from tmcwatch.serving.fields import LONGEST_NAME, Fields
from tmcwatch.serving.guarding import Tokens
from tmcwatch.serving.operations import (
    Attending,
    Deed,
    Hush,
    NotKnown,
    Unavailable,
    Wanted,
    WrongRequest,
)
from tmcwatch.serving.sheets import SECURITY, alert_sheet, list_sheet, problem_sheet

MOST_LISTED = 200
_MOST_FIELDS = 10
_NARROWING = ("rule", "account", "environment", "workspace", "name")
"""Labels of an alert that a silence made on its page asks for, where it has them."""
_ACTS = {"acknowledge": Act.ACKNOWLEDGED, "snooze": Act.SNOOZED, "note": Act.NOTED}
_PROMPT = 'Basic realm="tmcwatch: your name, and a token as the password", charset="UTF-8"'

Doing = Callable[[Attending, Request, str], Awaitable[object]]
"""What a form does, by whom."""


def routes(operations: Attending, tokens: Tokens) -> list[Route]:
    async def alerts(_: Request) -> Response:
        found = await operations.alerts(Wanted(states=OPEN, most=MOST_LISTED + 1))
        now, zone = operations.now(), operations.time_zone()
        return _page(list_sheet(found, most=MOST_LISTED, now=now, zone=zone))

    async def alert(request: Request) -> Response:
        found = await operations.alert(request.path_params["id"])
        silenced = [str(matcher) for matcher in _alike(found)]
        can_change = any(token.may is May.CHANGE for token in tokens())
        now, zone = operations.now(), operations.time_zone()
        return _page(alert_sheet(found, silenced, can_change=can_change, now=now, zone=zone))

    doings: dict[str, Doing] = {
        **{name: partial(_attend, act) for name, act in _ACTS.items()},
        "silence": _silence,
    }
    return [
        Route("/alerts", _shown(alerts, tokens), methods=["GET"]),
        Route("/alerts/{id}", _shown(alert, tokens), methods=["GET"]),
        *(
            Route(f"/alerts/{{id}}/{name}", _done(doing, operations, tokens), methods=["POST"])
            for name, doing in doings.items()
        ),
    ]


def is_from_our_page(request: Request, external_url: str) -> bool:
    """Tell whether a form was sent by a page of ours, and not by one that uses our login."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # Over plain HTTP browsers do not say that; behind a proxy the host may be another one.
    origin = urlsplit(request.headers.get("origin", "null").lower())
    ours = urlsplit(external_url.lower())
    is_external = (origin.scheme, origin.netloc) == (ours.scheme, ours.netloc)
    return bool(origin.netloc) and (is_external or origin.netloc == request.headers.get("host"))


def _check_origin(request: Request, external_url: str) -> None:
    if not is_from_our_page(request, external_url):
        raise HTTPException(403, "this form was not sent by a page of tmcwatch")


async def _attend(act: Act, operations: Attending, request: Request, author: str) -> object:
    known = ("note", "for")
    fields = await _form(request, known)
    deed = Deed(
        alert=request.path_params["id"],
        act=act,
        author=author,
        text=fields.needed("note") if act is Act.NOTED else fields.text("note") or "",
        lasts=None if act is Act.NOTED else fields.text("for") or None,
    )
    return await operations.attend(deed)


async def _silence(operations: Attending, request: Request, author: str) -> object:
    fields = await _form(request, ("comment", "for"))
    alert = await operations.alert(request.path_params["id"])
    comment = fields.text("comment") or f"from the page of alert {alert['id']}"
    hush = Hush(matchers=_alike(alert), author=author, comment=comment, lasts=fields.needed("for"))
    return await operations.add_silence(hush)


async def _form(request: Request, known: tuple[str, ...]) -> Fields:
    text = (await body_of(request)).decode(errors="replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "the form has too many fields") from error
    return Fields(dict(pairs), known)


def _alike(alert: Mapping[str, object]) -> tuple[Matcher, ...]:
    """Answer with matchers of what happens once more to the same task or plan."""
    labels = alert["labels"]
    assert isinstance(labels, Mapping)  # noqa: S101 - every alert has them
    return tuple(
        Matcher(label=name, operator=Operator.EQUAL, value=labels[name])
        for name in _NARROWING
        if labels.get(name)
    )


def _shown(endpoint: Endpoint, tokens: Tokens) -> Endpoint:
    async def shown(request: Request) -> Response:
        try:
            _admit(request, tokens, May.READ)
            return await endpoint(request)
        except (HTTPException, NotKnown, Unavailable, WrongRequest) as error:
            return _problem(error)

    return shown


def _done(doing: Doing, operations: Attending, tokens: Tokens) -> Endpoint:
    async def done(request: Request) -> Response:
        try:
            _check_origin(request, operations.external_url())
            author = _admit(request, tokens, May.CHANGE)
            await doing(operations, request, author)
        except (HTTPException, NotKnown, Unavailable, WrongRequest) as error:
            return _problem(error)
        # Relative, as a proxy may serve us under a path that we do not know.
        return RedirectResponse(f"../{request.path_params['id']}", 303)

    return done


def _admit(request: Request, tokens: Tokens, needed: May) -> str:
    """Answer with who asks; raises HTTPException where they may not."""
    authorization, known = request.headers.get("authorization"), tokens()
    refused = refusal(authorization, known, needed=needed, scheme=Scheme.BASIC)
    if refused is not None:
        headers = {"WWW-Authenticate": _PROMPT} if refused.status == 401 else None  # noqa: PLR2004
        raise HTTPException(refused.status, refused.text, headers)
    token = token_of(authorization, known, scheme=Scheme.BASIC)
    if token is None:
        return ""
    name = login(authorization).partition(b":")[0].decode(errors="replace").strip()
    is_usable = 0 < len(name) <= LONGEST_NAME and name.isprintable() and name != token.name
    return f"{token.name}/{name}" if is_usable else token.name


def _problem(error: Exception) -> Response:
    status, text = explained(error)
    response = _page(problem_sheet(text), status=status)
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response


def _page(html: str, *, status: int = 200) -> Response:
    return Response(html, status, media_type="text/html", headers=dict(SECURITY))
