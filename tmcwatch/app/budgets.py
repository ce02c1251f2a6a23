"""The budgets' memory: read when a watch begins, written at every change, so restarts keep it."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from tmcwatch.api.budget import Budget
from tmcwatch.app.world import World
from tmcwatch.config import Account
from tmcwatch.domain.budget import Family, RememberedPace
from tmcwatch.store.budgets import remember_pace, remembered_paces
from tmcwatch.store.engine import Connection, Store, StoreError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BudgetKeeping:
    """Writes down how the paces of one budget change; what could not be written stays owed."""

    name: str
    budget: Budget
    store: Store
    world: World

    async def run(self) -> None:
        while True:
            await self._write(await self.budget.changed())

    async def write(self) -> None:
        """Write what changed and was not written yet. Raises StoreError."""
        await self._write(self.budget.changes())

    async def _write(self, changes: Mapping[Family, RememberedPace]) -> None:
        if not changes:
            return
        try:
            await self.world.in_thread(self.store.write, partial(self._remember, changes))
        except BaseException:
            # By the budget, which outlives a reload.
            self.budget.owe(changes)
            raise

    def _remember(self, changes: Mapping[Family, RememberedPace], connection: Connection) -> None:
        for family, pace in changes.items():
            remember_pace(connection, self.name, family, pace, at=self.world.now())


async def open_budgets(
    accounts: Sequence[Account],
    budgets: MutableMapping[str, Budget],
    store: Store,
    world: World,
    *,
    failed: Callable[[StoreError], None],
) -> Sequence[BudgetKeeping]:
    """Leave in `budgets` those of the accounts by name, new ones as they are remembered.

    `failed` is told where the store cannot be read: to watch within a fresh budget is better than
    not to watch.
    """
    shares = {account.budget_name: account.api_share for account in accounts}
    for name, share in shares.items():
        if name in budgets:
            budgets[name].grant(share)
            continue
        try:
            remembered = await world.in_thread(store.read, partial(remembered_paces, name=name))
        except StoreError as error:
            log.warning("budget_not_recalled", budget=name, problem=str(error))
            failed(error)
            remembered = {}
        _tell_of_pauses(name, remembered, world)
        budgets[name] = Budget(share, now=world.now, random=world.random, remembered=remembered)
    # One that comes back later goes on from the store, which knows what happened in between.
    for name in budgets.keys() - shares.keys():
        del budgets[name]
    return [
        BudgetKeeping(name=name, budget=budgets[name], store=store, world=world) for name in shares
    ]


def _tell_of_pauses(name: str, remembered: Mapping[Family, RememberedPace], world: World) -> None:
    """Say why nothing is asked at first: TMC may have wished so before a restart."""
    for family, pace in remembered.items():
        if pace.paused_until is not None and pace.paused_until > world.now():
            until = pace.paused_until.isoformat(timespec="seconds")
            log.warning("pause_goes_on", budget=name, family=family.value, until=until)


async def write_last_changes(kept: Iterable[BudgetKeeping]) -> None:
    for keeping in kept:
        try:
            await keeping.write()
        except StoreError as error:
            log.warning("budget_not_written", budget=keeping.name, problem=str(error))
