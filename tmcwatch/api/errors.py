"""What can go wrong when TMC is asked: one type per decision a caller can take."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

LONGEST_TEXT = 300


class ApiError(Exception):
    """TMC did not answer a call as hoped; `str()` is one line for an operator."""

    def __init__(
        self,
        operation: str,
        text: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        self.operation = operation
        self.text = " ".join(text.split())[:LONGEST_TEXT]
        self.status = status
        self.request_id = request_id
        super().__init__(operation, self.text)

    def __str__(self) -> str:
        status = "" if self.status is None else f"{self.status} "
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.operation}: {status}{self.text}{request}"


class Unauthorized(ApiError):
    """The token is missing, expired or wrong."""


class TokenProblem(Unauthorized):
    """There is no usable token to send."""


class Forbidden(ApiError):
    """The token's owner lacks a permission."""


class BadRequest(ApiError):
    """Our fault: asking the same again cannot help."""


class NotFound(ApiError):
    """Unknown, expired, or not to be seen with this token; never a success."""


class Paused(ApiError):
    """The task or plan is paused."""


class Unprocessable(ApiError):
    """Understood, but impossible in the present state."""


class NotConfigured(ApiError):
    """The task, plan or promotion is not configured."""


class Throttled(ApiError):
    """Too many requests: the budget pauses, ask again later."""

    retry_after: timedelta | None = None
    """The pause that TMC asked for."""


class Unavailable(ApiError):
    """No usable answer: ask again later."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: Paused,
    407: Unavailable,
    408: Unavailable,
    422: Unprocessable,
    429: Throttled,
    501: NotConfigured,
}


def refusal(operation: str, status: int, text: str, request_id: str | None) -> ApiError:
    """Answer with the error that an HTTP status means, whatever the status."""
    ours = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    fallback = BadRequest if ours else Unavailable
    kind = _BY_STATUS.get(status, fallback)
    return kind(operation, text or _phrase(status), status=status, request_id=request_id)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no explanation"
