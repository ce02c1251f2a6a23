"""Promotions: TMC lists no executions of them, so each that is known is asked for, to its end."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus

import anyio
import structlog

from tmcwatch.api.client import Client
from tmcwatch.api.errors import ApiError, BadRequest, Forbidden, NotConfigured, NotFound
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import (
    UNKNOWN,
    AccountName,
    ExecutionId,
    Kind,
    Row,
    Subject,
    SubjectId,
)
from tmcwatch.domain.observation import Looked, Moment, NamesRead, Observation
from tmcwatch.domain.promotion import Wanted, is_given_up

log = structlog.get_logger()

MOST_AT_ONCE = 20
"""Executions that one look asks for; those asked for longest ago come first."""

LONGEST_WAIT = timedelta(hours=1)
"""Between two questions for an execution that TMC does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the poller remembers of one execution between looks; only to save requests."""

    since: datetime
    """When we were asked to follow it, as it stood then."""
    at: float
    again_at: float
    wait: float = 0.0
    """Seconds before the next question, while TMC does not know it."""


@dataclass(slots=True, kw_only=True)
class Follower:
    """Follows the executions of promotions of one account that `wanted` gives."""

    account: AccountName
    client: Client
    wanted: Callable[[], Awaitable[tuple[Wanted, ...]]]
    unnamed: Callable[[Collection[SubjectId]], Awaitable[frozenset[SubjectId]]]
    """Which of these promotions have no name, once the account's names were read."""
    now: Callable[[], datetime]
    send: Callable[[Observation], Awaitable[None]]
    beat: timedelta
    _asked: dict[ExecutionId, Asked] = field(default_factory=dict)
    _nameless: set[SubjectId] = field(default_factory=set)

    async def look(self) -> bool:
        """Ask for every execution whose turn it is; answers whether TMC answered."""
        wanted = await self.wanted()
        self._forget_others({each.id for each in wanted})
        due = [each for each in wanted if self._is_due(each)]
        if not due:
            return True
        try:
            for each in sorted(due, key=self._asked_at)[:MOST_AT_ONCE]:
                await self._ask(each)
        except ApiError as error:
            log.warning("promotions_not_read", account=self.account, problem=str(error))
            return False
        finally:
            # The tracker has committed the rows when it takes this.
            await self.send(Moment(at=self.now()))
        return True

    async def _ask(self, wanted: Wanted) -> None:
        asked_at = anyio.current_time()
        try:
            row = await self.client.promotion_execution(wanted.id, purpose=Purpose.ENDS)
        except ApiError as error:
            if not _is_of_this_one(error):
                raise
            self._postpone(wanted, error)
            return
        self._asked[wanted.id] = Asked(since=wanted.asked_at, at=asked_at, again_at=asked_at)
        # TMC answers to the id it was asked for, in whatever case it writes it.
        await self._tell(wanted, replace(row, id=wanted.id))

    async def _tell(self, wanted: Wanted, row: Row) -> None:
        await self._name_stranger(row)
        await self.send(
            Looked(
                account=self.account,
                kind=Kind.PROMOTION,
                at=self.now(),
                skew=self.client.skew,
                rows=(row,),
                history_before=wanted.history_before,
            )
        )

    async def _name_stranger(self, row: Row) -> None:
        """Look up a promotion that the directory lacks: names are frozen into alerts."""
        if row.subject is None or row.subject in self._nameless:
            return
        if not await self.unnamed([row.subject]):
            return
        try:
            named = await self.client.promotion(row.subject, purpose=Purpose.NAMES)
        except (NotFound, BadRequest, Forbidden):
            self._nameless.add(row.subject)
            return
        except ApiError:
            return  # told without: an end must not wait for a name
        if named.environment == UNKNOWN:
            self._nameless.add(row.subject)
        await self._send_names([named])

    async def _send_names(self, subjects: Iterable[Subject]) -> None:
        await self.send(
            NamesRead(
                account=self.account, at=self.now(), subjects=tuple(subjects), complete=False
            )
        )

    def _postpone(self, wanted: Wanted, error: ApiError) -> None:
        """Ask later and later for what TMC does not know: that is no end, nor a success."""
        before = self._before(wanted)
        wait = self.beat.total_seconds()
        if before is not None and before.wait:
            wait = min(2 * before.wait, LONGEST_WAIT.total_seconds())
        at = anyio.current_time()
        self._asked[wanted.id] = Asked(since=wanted.asked_at, at=at, again_at=at + wait, wait=wait)
        given_up = is_given_up(wanted, self.now() + timedelta(seconds=wait))
        if given_up:
            log.warning(
                "promotion_given_up",
                account=self.account,
                execution=wanted.id,
                asked_at=wanted.asked_at.isoformat(),
                problem=str(error),
            )
        elif before is None:
            log.info("promotion_unknown", execution=wanted.id, problem=str(error))

    def _is_due(self, wanted: Wanted) -> bool:
        asked = self._before(wanted)
        is_its_turn = asked is None or anyio.current_time() >= asked.again_at
        return is_its_turn and not is_given_up(wanted, self.now())

    def _before(self, wanted: Wanted) -> Asked | None:
        """Answer with what is remembered, unless someone asked for it anew since."""
        asked = self._asked.get(wanted.id)
        return asked if asked is not None and asked.since == wanted.asked_at else None

    def _asked_at(self, wanted: Wanted) -> float:
        asked = self._asked.get(wanted.id)
        return asked.at if asked else float("-inf")

    def _forget_others(self, still: Collection[ExecutionId]) -> None:
        self._asked = {id_: asked for id_, asked in self._asked.items() if id_ in still}


def _is_of_this_one(error: ApiError) -> bool:
    """Tell whether an error is about one execution, and the others can be asked for.

    Before R2026-10 TMC answered 500 to an id that it did not know.
    """
    if isinstance(error, NotFound | BadRequest | Forbidden | NotConfigured):
        return True
    return error.status == HTTPStatus.INTERNAL_SERVER_ERROR
