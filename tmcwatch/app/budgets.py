"""The budgets' memory: read when a watch begins, written at every change, so restarts keep it."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import structlog

from tmcwatch.api.budget import Budget
from tmcwatch.app.world import World
from tmcwatch.config import Account
from tmcwatch.domain.budget import Family, RememberedPace
from tmcwatch.store.budgets import remember_pace, remembered_paces
from tmcwatch.store.engine import Connection, Store, StoreError

log = structlog.get_logger()


class BudgetKey(NamedTuple):
    """What one budget paces."""

    address: str
    share: float


def budget_key(account: Account) -> BudgetKey:
    return BudgetKey(account.api_url, account.api_share)


def budget_name(account: Account, accounts: Sequence[Account]) -> str:
    """Answer with what the budget of an account is remembered by.

    That is its address, so that a changed share does not end a pause; only where accounts ask one
    address by several shares, each share has a budget to tell apart.
    """
    shares = {one.api_share for one in accounts if one.api_url == account.api_url}
    if len(shares) == 1:
        return account.api_url
    return f"{account.api_url} at a share of {account.api_share}"


@dataclass(slots=True, kw_only=True, eq=False)
class BudgetKeeping:
    """Writes down how the paces of one budget change; what could not be written stays owed."""

    name: str
    budget: Budget
    store: Store
    world: World
    _owed: dict[Family, RememberedPace] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            if not self._owed:
                self._owed.update(await self.budget.changed())
            await self.write()

    async def write(self) -> None:
        """Write what is owed and what changed since. Raises StoreError."""
        self._owed.update(self.budget.changes())
        if self._owed:
            await self.world.in_thread(self.store.write, self._remember)
            self._owed.clear()

    def _remember(self, connection: Connection) -> None:
        for family, pace in self._owed.items():
            remember_pace(connection, self.name, family, pace, at=self.world.now())


async def open_budgets(
    accounts: Sequence[Account],
    budgets: MutableMapping[BudgetKey, Budget],
    store: Store,
    world: World,
    *,
    failed: Callable[[StoreError], None],
) -> Mapping[BudgetKey, BudgetKeeping]:
    """Leave in `budgets` those of the accounts, new ones as they are remembered; answer with them.

    `failed` is told where the store cannot be read: to watch within a fresh budget is better than
    not to watch.
    """
    kept = {}
    for account in accounts:
        key, name = budget_key(account), budget_name(account, accounts)
        if key not in budgets:
            try:
                remembered = await world.in_thread(
                    store.read, partial(remembered_paces, name=name)
                )
            except StoreError as error:
                log.warning("budget_not_recalled", budget=name, problem=str(error))
                failed(error)
                remembered = {}
            budgets[key] = Budget(
                key.share, now=world.now, random=world.random, remembered=remembered
            )
        kept[key] = BudgetKeeping(name=name, budget=budgets[key], store=store, world=world)
    # One that comes back later goes on from the store, which knows what happened in between.
    for key in budgets.keys() - kept.keys():
        del budgets[key]
    return kept


async def write_last_changes(kept: Iterable[BudgetKeeping]) -> None:
    for keeping in kept:
        try:
            await keeping.write()
        except StoreError as error:
            log.warning("budget_not_written", budget=keeping.name, problem=str(error))
