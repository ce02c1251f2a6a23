"""One question to TMC: asked within the budget, answered with the body or an error."""

import json
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

import anyio

from tmcwatch.api.budget import Budget, Room, Slot, Ticket
from tmcwatch.api.connection import Answer, Connection
from tmcwatch.api.errors import ApiError, Throttled, Unauthorized, Unavailable, refusal
from tmcwatch.api.token import Credential, Token, bearer
from tmcwatch.domain.budget import Family, Purpose, family_of, http_date, retry_after
from tmcwatch.domain.execution import AccountName

TRIES_WHEN_THROTTLED = 4
"""A look of many requests would rarely end if each 429 of a busy hour ended it."""

HALF_A_SECOND = timedelta(seconds=0.5)
LONGEST_REQUEST_ID = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request to one endpoint; with a `body` it is a POST."""

    operation: str
    path: str
    query: dict[str, str | int] = field(default_factory=dict)
    body: dict[str, object] | None = None
    purpose: Purpose

    @property
    def family(self) -> Family:
        return family_of(self.path)

    @property
    def same(self) -> str:
        """What two questions have in common that one answer serves."""
        return json.dumps([self.operation, self.path, self.query, self.body], sort_keys=True)


class _Waiting:
    """A question that waits to be sent, and whoever joined it meanwhile."""

    def __init__(self, question: Question) -> None:
        self.same = question.same
        self.ticket = Ticket(question.purpose)
        self.done = anyio.Event()
        self.outcome: bytes | ApiError | None = None
        """None where whoever asked gave up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What one request was and how it went, for the metrics."""

    account: AccountName
    family: Family
    operation: str
    code: str
    """The HTTP status, or `error` where there was no complete answer."""
    seconds: float
    waited: float
    """Seconds in the queue of the budget."""
    purpose: Purpose
    is_late: bool = False
    """Whether it was let out after the deadline of its purpose."""


def ignore(call: Call) -> None:
    """Observe nothing."""


class Asker:
    """The conversation with one account: its connection, its token and its server's clock."""

    def __init__(  # noqa: PLR0913 - the outside of a conversation, each part replaceable
        self,
        account: AccountName,
        connection: Connection,
        *,
        budget: Budget,
        token: Token,
        now: Callable[[], datetime],
        observe: Callable[[Call], None],
        room: Room | None = None,
        credential: Callable[[str], Credential] = bearer,
    ) -> None:
        self._account = account
        self._connection = connection
        self._budget = budget
        self._room = room or Room()
        self._waiting: dict[str, _Waiting] = {}
        self._token = token
        self._credential = credential
        self._now = now
        self._observe = observe
        self.skew = timedelta()
        """How far TMC's clock is ahead of ours."""

    def server_now(self) -> datetime:
        return self._now() + self.skew

    async def ask(self, question: Question) -> bytes:
        """Answer with the body of a success, else raise an ApiError.

        Whoever asks the same while it still waits to be sent shares the answer, and lends it the
        greater urgency. What is under way already is not shared: it may be older than the
        question. What TMC throttles is asked again a few times.
        """
        while (waiting := self._waiting.get(question.same)) is not None:
            waiting.ticket.hasten(question.purpose)
            await waiting.done.wait()
            match waiting.outcome:
                case bytes(body):
                    return body
                case ApiError() as error:
                    raise copy(error) from error
                case None:
                    continue  # given up by whoever asked: somebody else does now
        return await self._ask_for_all(question)

    async def _ask_for_all(self, question: Question) -> bytes:
        waiting = _Waiting(question)
        self._waiting[waiting.same] = waiting
        try:
            waiting.outcome = await self._ask_again(question, waiting)
        except ApiError as error:
            waiting.outcome = error
            raise
        finally:
            self._close(waiting)
            waiting.done.set()
        return waiting.outcome

    def _close(self, waiting: _Waiting) -> None:
        """Let nobody join any more."""
        if self._waiting.get(waiting.same) is waiting:
            del self._waiting[waiting.same]

    async def _ask_again(self, question: Question, waiting: _Waiting) -> bytes:
        for _ in range(TRIES_WHEN_THROTTLED - 1):
            try:
                return await self._ask(question, waiting)
            except Throttled:
                continue
        return await self._ask(question, waiting)

    async def ask_once(self, question: Question) -> bytes:
        """Ask, and once more only where a refused token was replaced."""
        return await self._ask(question, _Waiting(question))

    async def _ask(self, question: Question, waiting: _Waiting) -> bytes:
        token = await self._token.current()
        try:
            return await self._exchange(question, self._credential(token), waiting)
        except Unauthorized:
            # It may have been replaced since, or a file without a trace in its stamp.
            if not await self._token.reread(token):
                raise
        credential = self._credential(await self._token.current())
        return await self._exchange(question, credential, waiting)

    async def _exchange(
        self, question: Question, credential: Credential, waiting: _Waiting
    ) -> bytes:
        operation, room = question.operation, self._room
        request = self._connection.request(
            operation,
            question.path,
            query=question.query,
            body=question.body,
            credential=credential,
        )
        async with self._budget.slot(question.family, waiting.ticket, room=room) as slot:
            self._close(waiting)
            began, sent_at = anyio.current_time(), self._now()
            try:
                answer = await self._connection.send(operation, request)
            except Unavailable:
                slot.failed()
                self._observe(self._call(question, slot, code="error", began=began))
                raise
            self._observe(self._call(question, slot, code=str(answer.status), began=began))
            self._learn_skew(answer, sent_at)
            if answer.status // 100 == HTTPStatus.OK // 100:
                slot.answered()
                return answer.body
            raise self._refused(operation, answer, slot, credential)

    def _refused(
        self, operation: str, answer: Answer, slot: Slot, credential: Credential
    ) -> ApiError:
        """Answer with the error to raise, once the budget knows of it."""
        # An error page may quote the request.
        text, request_id = _explanation(answer, credential.hidden_in)
        error = refusal(operation, answer.status, text, request_id)
        if isinstance(error, Throttled):
            served_at = http_date(answer.headers.get("Date")) or self.server_now()
            error.retry_after = retry_after(answer.headers.get("Retry-After"), served_at=served_at)
            slot.throttled(error.retry_after)
        elif isinstance(error, Unavailable):
            slot.failed()
        else:
            slot.answered()
        return error

    def _call(self, question: Question, slot: Slot, *, code: str, began: float) -> Call:
        return Call(
            account=self._account,
            family=question.family,
            operation=question.operation,
            code=code,
            seconds=anyio.current_time() - began,
            waited=slot.waited,
            purpose=question.purpose,
            is_late=slot.is_late,
        )

    def _learn_skew(self, answer: Answer, sent_at: datetime) -> None:
        served_at = http_date(answer.headers.get("Date"))
        if served_at is not None:
            middle = sent_at + timedelta(seconds=answer.first_byte_seconds / 2)
            # The header counts whole seconds: on average half of one was cut off.
            self.skew = served_at + HALF_A_SECOND - middle


def _explanation(answer: Answer, hidden_in: Callable[[str], str]) -> tuple[str, str | None]:
    """Answer with what an error says, and the id of the request: every shape ever documented."""
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return "redirects are not followed: is the address right?", None
    text = answer.body.decode("utf-8", "replace").strip()
    if text.startswith("<"):
        return "an HTML page instead of a message", None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return hidden_in(text), None
    if not isinstance(told, dict):
        return hidden_in(text), None
    words = (told.get(key) for key in ("message", "detail", "details"))
    distinct = dict.fromkeys(word for word in words if isinstance(word, str) and word)
    said, request_id = hidden_in(": ".join(distinct)), told.get("requestId")
    if not isinstance(request_id, str):
        return said, None
    return said, " ".join(hidden_in(request_id).split())[:LONGEST_REQUEST_ID]
