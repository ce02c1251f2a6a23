"""Looks once a minute how often TMC refused what a budget let out, and tells where that lasts."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import anyio
import structlog

from tmcwatch.api.budget import Budget
from tmcwatch.app.world import World
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import AccountName
from tmcwatch.domain.throttling import (
    BEAT,
    THROTTLED,
    WITHIN_MINUTES,
    is_throttled,
    is_troubled,
    throttled,
)
from tmcwatch.store.conditions import begin_condition, end_condition, lasting_conditions_of
from tmcwatch.store.engine import Connection, Store
from tmcwatch.supervisor import Bell

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleWatch:
    """Watches one budget, for all the accounts that draw on it."""

    name: str
    """Of the budget."""
    accounts: Sequence[AccountName]
    budget: Budget
    store: Store
    world: World
    changed: Bell
    """Rung for alerting."""

    async def run(self) -> None:
        troubled: deque[bool] = deque(maxlen=WITHIN_MINUTES)
        lasts = await self.world.in_thread(self.store.read, self._lasts)
        before = self.budget.calls()
        while True:
            await anyio.sleep(BEAT.total_seconds())
            after = self.budget.calls()
            troubled.append(any(is_troubled(before[one], after[one]) for one in after))
            before = after
            if is_throttled(tuple(troubled), was=lasts) is not lasts:
                lasts = not lasts
                await self._note(tuple(troubled), lasts=lasts)

    def _lasts(self, connection: Connection) -> bool:
        lasting = lasting_conditions_of(connection, THROTTLED)
        return any(one.account in self.accounts for one in lasting)

    async def _note(self, troubled: Sequence[bool], *, lasts: bool) -> None:
        now = self.world.now()
        begun = [throttled(one, troubled, now=now) for one in self.accounts] if lasts else []
        work = partial(note_throttling, accounts=self.accounts, begun=begun, now=now)
        await self.world.in_thread(self.store.write, work)
        if lasts:
            log.warning("throttled_again_and_again", budget=self.name)
        else:
            log.info("throttled_no_longer", budget=self.name)
        self.changed.ring()


def note_throttling(
    connection: Connection,
    *,
    accounts: Sequence[AccountName],
    begun: Sequence[Condition],
    now: datetime,
) -> None:
    """Write the conditions that began, or that none of the accounts is in one any more."""
    for condition in begun:
        begin_condition(connection, condition)
    if not begun:
        for account in accounts:
            end_condition(connection, THROTTLED, account, at=now)
