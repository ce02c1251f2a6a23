"""Service accounts: an id and a secret, for which TMC gives tokens that last half an hour."""

import copy
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import anyio
import structlog

from tmcwatch.api.asking import Question
from tmcwatch.api.errors import ApiError, Throttled, TokenProblem, Unavailable
from tmcwatch.api.token import Credential, Token, checked
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import AccountName
from tmcwatch.domain.renewal import TRUSTED_FOR, life_of, renewed_after, retried_after

log = structlog.get_logger()

WHO = "service account"
"""Whom an error speaks of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """What is shown to be given tokens, and for which address these are."""

    id: str
    secret: Token
    audience: str

    def credential(self, secret: str) -> Credential:
        shown = b64encode(f"{self.id}:{secret}".encode()).decode()
        return Credential(header=f"Basic {shown}", secrets=(shown, secret))

    def question(self) -> Question:
        return Question(
            operation="oauth_token",
            path="/security/oauth/token",
            body={"audience": self.audience, "grant_type": "client_credentials"},
            # Everything else waits for it.
            purpose=Purpose.HEAD,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    """A token that was given, and its moments on the monotonic clock."""

    token: str = field(repr=False)
    given_at: float
    due_at: float
    """From when another one is asked for."""
    ends_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """Why there is no newer token, and from when another one is asked for again."""

    problem: ApiError
    retry_at: float
    in_a_row: int


class GrantedToken:
    """The token of a service account: one request at a time brings another before it ends.

    `ask` must not hold a place in the budget while it waits for a token: it asks for one itself.
    While `paused` says that TMC wants no such request, a token that still serves is kept.
    """

    def __init__(
        self,
        account: AccountName,
        service_account: ServiceAccount,
        *,
        ask: Callable[[Question], Awaitable[bytes]],
        paused: Callable[[], bool],
    ) -> None:
        self._account = account
        self._service_account = service_account
        self._ask = ask
        self._paused = paused
        self._renewing = anyio.Lock()
        self._grant: _Grant | None = None
        self._failure: _Failure | None = None

    def __repr__(self) -> str:
        return f"GrantedToken({self._account!r}, ***)"

    async def current(self) -> str:
        grant, now = self._grant, anyio.current_time()
        if grant is not None and now < grant.due_at:
            return grant.token
        if grant is not None and now < grant.ends_at and self._is_hindered():
            return grant.token
        await self._renew(grant)
        return self._usable()

    async def reread(self, refused: str) -> bool:
        grant = self._grant
        if grant is not None and grant.token == refused:
            if anyio.current_time() - grant.given_at < TRUSTED_FOR:
                return False
            await self._renew(grant)
            if self._grant is grant:
                return self._without_another()
        return self._grant is None or self._grant.token != refused

    def _without_another(self) -> bool:
        """Raise why there is no other token: it says more than that this one was refused."""
        failure = self._failure
        # What is throttled is asked again at once: with the same token, that would be for nothing.
        if failure is None or isinstance(failure.problem, Throttled):
            return False
        raise copy.copy(failure.problem)

    def _is_hindered(self) -> bool:
        """Tell whether to ask for another token now would mean to wait for long."""
        return self._renewing.locked() or self._paused()

    async def _renew(self, old: _Grant | None) -> None:
        """Ask for another token than the old one, unless someone just did."""
        async with self._renewing:
            failure = self._failure
            too_soon = failure is not None and anyio.current_time() < failure.retry_at
            if self._grant is not old or too_soon:
                return
            try:
                self._grant = _grant(await self._ask(self._service_account.question()))
            except ApiError as error:
                self._failed(_meant(error))
            else:
                self._failure = None

    def _failed(self, problem: ApiError) -> None:
        now = anyio.current_time()
        in_a_row = 1 if self._failure is None else self._failure.in_a_row + 1
        # A longer pause that TMC asked for is kept by the budget.
        retry_at = now + retried_after(in_a_row)
        self._failure = _Failure(problem=problem, retry_at=retry_at, in_a_row=in_a_row)
        left = max(0.0, self._grant.ends_at - now) if self._grant is not None else 0.0
        log.warning(
            "token_not_renewed", account=self._account, problem=str(problem), serves_for=left
        )

    def _usable(self) -> str:
        grant, failure = self._grant, self._failure
        if grant is not None and (failure is None or anyio.current_time() < grant.ends_at):
            return grant.token
        assert failure is not None  # noqa: S101 - without a grant, asking for one has failed
        # Each asker gets an error of its own: a traceback grows each time one is raised.
        raise copy.copy(failure.problem)


def _grant(body: bytes) -> _Grant:
    """Answer with the token that TMC gave."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        # Not chained: the error holds the body.
        raise Unavailable(WHO, "the answer is not JSON") from None
    if not isinstance(told, dict) or not isinstance(told.get("access_token"), str):
        raise Unavailable(WHO, "the answer has no token in it")
    try:
        token = checked(told["access_token"], "the answer", "token")
    except TokenProblem as problem:
        raise Unavailable(WHO, problem.text) from None
    # Counted from the answer, not from the question: that may have waited for long in the queue.
    now, life = anyio.current_time(), life_of(told.get("expires_in"))
    return _Grant(token=token, given_at=now, due_at=now + renewed_after(life), ends_at=now + life)


def _meant(error: ApiError) -> ApiError:
    """Answer with what a refused token means to whoever needs one."""
    status = error.status
    broken = status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind: type[ApiError] = TokenProblem
    if isinstance(error, Throttled | Unavailable):
        kind = type(error)
    elif broken:
        kind = Unavailable
    meant = kind(WHO, error.text, status=status, request_id=error.request_id)
    if isinstance(error, Throttled) and isinstance(meant, Throttled):
        meant.retry_after = error.retry_after
    return meant
