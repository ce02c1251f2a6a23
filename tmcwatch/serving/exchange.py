"""What every endpoint reads and writes: bounded bodies, JSON answers, errors in one shape."""

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tmcwatch.serving.operations import Json, NotKnown, Unavailable, WrongRequest

LARGEST_BODY = 64 * 1024
READ_BODY_WITHIN = 10.0
"""Seconds."""
MOST_ROWS = 1000
USUAL_ROWS = 100

_NOTHING = object()

Endpoint = Callable[[Request], Awaitable[Response]]


def limit_of(request: Request, usual: int = USUAL_ROWS) -> int:
    """Answer with how many rows are asked for."""
    text = request.query_params.get("limit", str(usual))
    if text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ROWS)):
        limit = int(text)
        if 1 <= limit <= MOST_ROWS:
            return limit
    raise HTTPException(400, f"limit: a number from 1 to {MOST_ROWS} is needed")


async def json_of(request: Request, *, empty: object = _NOTHING) -> object:
    """Answer with what the body says in JSON, or with `empty` where there is none."""
    body = await body_of(request)
    if not body and empty is not _NOTHING:
        return empty
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is not JSON") from error


async def body_of(request: Request) -> bytes:
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


def answer(content: Json, *, status: int = 200) -> Response:
    text = json.dumps(content, allow_nan=False) + "\n"
    return Response(text, status, media_type="application/json")


def explained(error: Exception) -> tuple[int, str]:
    """Answer with the status and the text that tell of an error of an operation."""
    match error:
        case HTTPException():
            return error.status_code, error.detail
        case NotKnown():
            return 404, str(error)
        case WrongRequest():
            return 400, str(error)
        case Unavailable():
            return 503, str(error)
        case _:
            # The server logs the exception; what it says is not for everyone.
            return 500, "internal error"


def refused(_: Request, error: Exception) -> Response:
    """Answer in JSON to a request that failed."""
    status, text = explained(error)
    response = answer({"error": text}, status=status)
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response
