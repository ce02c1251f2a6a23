"""The pollers: what is asked of each account, by whom, and how often."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from tmcwatch.api.budget import Budget, FamilyState
from tmcwatch.api.client import Client
from tmcwatch.app.parts import Parts
from tmcwatch.app.promotions import Promotions
from tmcwatch.app.refreshes import Refreshes
from tmcwatch.app.remembering import memory_of
from tmcwatch.app.wiring import (
    client_of,
    kinds_of,
    lists_of,
    look_settings,
    rereads_of,
    scope_of,
)
from tmcwatch.app.world import World
from tmcwatch.config import Account, Config
from tmcwatch.domain.budget import Family
from tmcwatch.domain.execution import AccountName
from tmcwatch.domain.observation import Observation
from tmcwatch.domain.scope import EVERYTHING
from tmcwatch.polling.asking import List
from tmcwatch.polling.beating import keep_beat
from tmcwatch.polling.catching_up import catch_up
from tmcwatch.polling.checking import CHECK_EVERY, Checker
from tmcwatch.polling.history import read_history
from tmcwatch.polling.looking import Looker
from tmcwatch.polling.names import read_names

NAMES_RETRY = timedelta(seconds=10)

Service = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pollers:
    """Makes the services that ask TMC, and send what they saw to tracking."""

    config: Config
    parts: Parts
    world: World
    send: MemoryObjectSendStream[Observation]

    def services(self, stack: AsyncExitStack) -> Iterable[tuple[str, Service]]:
        """Give the services of every account; their clients are closed with `stack`."""
        beat, metrics = self.config.watch.beat, self.parts.metrics
        refreshes = {name: Refreshes(budget, beat) for name, budget in self.parts.budgets.items()}
        for account in self.config.accounts:
            budget = self.parts.budgets[account.budget_name]
            client = client_of(account, budget, metrics, self.world, beat=beat)
            stack.push_async_callback(client.aclose)
            yield f"names of {account.name}", self._names(account, client)
            for one in lists_of(self.config, client):
                looker = self._looker(account, one, refreshes[account.budget_name])
                name = f"{one.kind.value}s of {account.name}"
                began = partial(self.parts.beats.began, looker.account, one.kind, beat)
                yield name, partial(keep_beat, looker.look, beat, observe=began)
                yield f"history of {name}", partial(read_history, looker)
                yield f"catching up with {name}", partial(catch_up, looker)
                checker = Checker(looker=looker, random=self.world.random)
                yield f"checking {name}", partial(keep_beat, checker.check, CHECK_EVERY)
            yield from self._promotions(account, client)
            yield f"gauges of {account.name}", partial(self._gauge, account, client, budget)

    def _promotions(self, account: Account, client: Client) -> Iterable[tuple[str, Service]]:
        promotions = Promotions(
            account=AccountName(account.name),
            config=self.config,
            client=client,
            store=self.parts.store,
            metrics=self.parts.metrics,
            world=self.world,
        )
        yield f"promotions of {account.name}", partial(promotions.follow, self.send)
        if self.config.watch.promotions.audit_log:
            yield f"audit log of {account.name}", promotions.read_audit_log

    def _names(self, account: Account, client: Client) -> Service:
        read = partial(
            read_names,
            AccountName(account.name),
            client,
            now=self.world.now,
            send=self.send.send,
        )
        return partial(keep_beat, read, self.config.watch.names.every, retry=NAMES_RETRY)

    def _looker(
        self,
        account: Account,
        one: List,
        refreshes: Refreshes,
    ) -> Looker:
        name = AccountName(account.name)
        return Looker(
            account=name,
            list=one,
            memory=memory_of(
                name,
                one.kind,
                self.parts.store,
                self.world,
                is_scoped=scope_of(account) != EVERYTHING,
            ),
            settings=look_settings(self.config),
            rereads=rereads_of(name, one.kind, self.parts.metrics),
            affords=partial(refreshes.of, name, one.kind),
            now=self.world.now,
            send=self.send.send,
        )

    async def _gauge(self, account: Account, client: Client, budget: Budget) -> None:
        """Keep the gauges of an account's clock and budget up to date."""
        while True:
            metrics = self.parts.metrics
            metrics.skew(account.name, client.skew.total_seconds())
            states = budget.state()
            for family, state in states.items():
                metrics.budget(
                    account.name,
                    family.value,
                    rate=state.rate,
                    ceiling=state.ceiling,
                    paused_until=state.paused_until,
                )
            self._tell_of_pause(account, states)
            await anyio.sleep(self.config.watch.beat.total_seconds())

    def _tell_of_pause(self, account: Account, states: Mapping[Family, FamilyState]) -> None:
        """Say what the first looks wait for: after a restart that may be an hour."""
        needed = [Family.PROCESSING]
        if account.service_account is not None:
            needed.append(Family.SECURITY)  # gives the tokens
        pauses = [until for each in needed if (until := states[each].paused_until) is not None]
        if pauses:
            for kind in kinds_of(self.config):
                self.parts.health.look_waits(
                    AccountName(account.name), kind, at=self.world.now(), until=max(pauses)
                )
