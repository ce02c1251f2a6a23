"""The wiring: services nested in the order of the flow, so that leaving them is the shutdown."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import anyio
import structlog
from anyio.streams.memory import MemoryObjectSendStream

from tmcwatch.alerting.deciding import CURSOR
from tmcwatch.alerting.service import Alerter
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.app.beats import Beats
from tmcwatch.app.budgets import BudgetKeeping, open_budgets, write_last_changes
from tmcwatch.app.planning import warn
from tmcwatch.app.promotions import Promotions
from tmcwatch.app.refreshes import Refreshes
from tmcwatch.app.remembering import memory_of
from tmcwatch.app.wiring import (
    client_of,
    kinds_of,
    lists_of,
    look_settings,
    rereads_of,
    rules_of,
    scope_of,
    scopes_of,
    settings_of,
    targets_of,
    watchfulness_of,
)
from tmcwatch.app.world import World
from tmcwatch.config import Account, Config
from tmcwatch.delivering import Means, Target, deliver, words_for
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
from tmcwatch.store.engine import Store, StoreDamagedError, StoreError
from tmcwatch.store.retention import MOST_AT_ONCE, forget
from tmcwatch.store.transitions import cursor
from tmcwatch.supervisor import Bell, Supervision, keep_running
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics
from tmcwatch.tracking.service import Tracker

log = structlog.get_logger()

NAMES_RETRY = timedelta(seconds=10)
CLEAN_UP_EVERY = timedelta(hours=1)
LAST_ROUND_WITHIN = 5.0

Service = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What outlives a reload."""

    store: Store
    metrics: Metrics
    health: Health
    beats: Beats
    budgets: dict[str, Budget] = field(default_factory=dict)
    """By name; those of the accounts that are watched."""


def store_fails(health: Health, error: Exception) -> None:
    """Show that the store fails: a full disk until it works again, damage until a restart."""
    health.store_fails(str(error), heals=not isinstance(error, StoreDamagedError))


async def watch(config: Config, parts: Parts, world: World, *, stop: anyio.Event) -> None:
    """Watch until `stop` is set, then finish in the order of the flow.

    Pollers are cancelled, tracking takes in what they sent, alerting decides on it once more, and
    a send under way is finished. What is still owed is safe in the outbox.
    """
    await _Watch(config, parts, world).run(stop)


class _Watch:
    def __init__(self, config: Config, parts: Parts, world: World) -> None:
        self._config = config
        self._parts = parts
        self._world = world
        self._keepings: Sequence[BudgetKeeping] = ()
        self._changed, self._owed = Bell(), Bell()
        self._supervision = Supervision(
            outages=(StoreError,),
            outage=partial(store_fails, parts.health),
            restarted=parts.metrics.restarted,
        )
        self._alerter = Alerter(
            store=parts.store,
            in_thread=world.in_thread,
            now=world.now,
            settings=settings_of(config),
            changed=self._changed,
            owed=self._owed,
        )

    async def run(self, stop: anyio.Event) -> None:
        warn(self._config)
        self._expect()
        self._keepings = await open_budgets(
            self._config.accounts,
            self._parts.budgets,
            self._parts.store,
            self._world,
            failed=partial(store_fails, self._parts.health),
        )
        send, receive = anyio.create_memory_object_stream[Observation](0)
        tracker = Tracker(
            store=self._parts.store,
            in_thread=self._world.in_thread,
            changed=self._changed,
            metrics=self._parts.metrics,
            health=self._parts.health,
            watchfulness=watchfulness_of(self._config, self._world),
            scopes=scopes_of(self._config),
        )
        async with AsyncExitStack() as stack, anyio.create_task_group() as telling:
            for target in targets_of(self._config, self._world):
                stack.push_async_callback(target.notifier.aclose)
                telling.start_soon(self._keep, f"delivering {target.name}", self._worker(target))
            async with anyio.create_task_group() as deciding:
                deciding.start_soon(self._keep, "alerting", self._alerter.run)
                with receive:
                    async with anyio.create_task_group() as tracking:
                        tracking.start_soon(self._keep, "tracking", partial(tracker.run, receive))
                        with send:
                            await self._poll(send, stop)
                deciding.cancel_scope.cancel()
            await self._decide_once_more()
            telling.cancel_scope.cancel()

    async def _poll(self, send: MemoryObjectSendStream[Observation], stop: anyio.Event) -> None:
        async with AsyncExitStack() as stack, anyio.create_task_group() as polling:
            for name, service in (*self._pollers(stack, send), ("clean-up", self._clean_up)):
                polling.start_soon(self._keep, name, service)
            for keeping in self._keepings:
                name = f"remembering the budget of {keeping.name}"
                polling.start_soon(self._keep, name, keeping.run)
            self._parts.health.started()
            await stop.wait()
            polling.cancel_scope.cancel()
        # Shielded, so that the next process begins with what the last request told.
        with anyio.move_on_after(LAST_ROUND_WITHIN, shield=True):
            await write_last_changes(self._keepings)

    def _expect(self) -> None:
        kinds = kinds_of(self._config)
        self._parts.health.watch(
            [(AccountName(one.name), kind) for one in self._config.accounts for kind in kinds]
        )
        self._parts.metrics.expect(
            receivers=[receiver.name for receiver in self._config.receivers],
            rules=[(rule.name, rule.severity.value) for rule in rules_of(self._config)],
        )

    async def _keep(self, name: str, service: Service) -> None:
        await keep_running(name, service, self._supervision)

    def _worker(self, target: Target) -> Service:
        means = Means(
            store=self._parts.store,
            in_thread=self._world.in_thread,
            now=self._world.now,
            random=self._world.random,
            words=partial(words_for, time_zone=self._config.time_zone),
            observed=_Observed(self._parts.metrics),
        )
        return partial(deliver, target, bell=self._owed, means=means)

    def _pollers(
        self, stack: AsyncExitStack, send: MemoryObjectSendStream[Observation]
    ) -> Iterable[tuple[str, Service]]:
        """Give the services of every account: a look at each list, its history, and the names."""
        beat, metrics = self._config.watch.beat, self._parts.metrics
        refreshes = {name: Refreshes(budget, beat) for name, budget in self._parts.budgets.items()}
        for account in self._config.accounts:
            budget = self._parts.budgets[account.budget_name]
            client = client_of(account, budget, metrics, self._world, beat=beat)
            stack.push_async_callback(client.aclose)
            yield f"names of {account.name}", self._names(account, client, send)
            for one in lists_of(self._config, client):
                looker = self._looker(account, one, refreshes[account.budget_name], send)
                name = f"{one.kind.value}s of {account.name}"
                began = partial(self._parts.beats.began, looker.account, one.kind, beat)
                yield name, partial(keep_beat, looker.look, beat, observe=began)
                yield f"history of {name}", partial(read_history, looker)
                yield f"catching up with {name}", partial(catch_up, looker)
                checker = Checker(looker=looker, random=self._world.random)
                yield f"checking {name}", partial(keep_beat, checker.check, CHECK_EVERY)
            yield from self._promotions(account, client, send)
            yield f"gauges of {account.name}", partial(self._gauge, account, client, budget)

    def _promotions(
        self, account: Account, client: Client, send: MemoryObjectSendStream[Observation]
    ) -> Iterable[tuple[str, Service]]:
        promotions = Promotions(
            account=AccountName(account.name),
            config=self._config,
            client=client,
            store=self._parts.store,
            metrics=self._parts.metrics,
            world=self._world,
        )
        yield f"promotions of {account.name}", partial(promotions.follow, send)
        if self._config.watch.promotions.audit_log:
            yield f"audit log of {account.name}", promotions.read_audit_log

    def _names(
        self, account: Account, client: Client, send: MemoryObjectSendStream[Observation]
    ) -> Service:
        read = partial(
            read_names,
            AccountName(account.name),
            client,
            now=self._world.now,
            send=send.send,
        )
        return partial(keep_beat, read, self._config.watch.names.every, retry=NAMES_RETRY)

    def _looker(
        self,
        account: Account,
        one: List,
        refreshes: Refreshes,
        send: MemoryObjectSendStream[Observation],
    ) -> Looker:
        name = AccountName(account.name)
        return Looker(
            account=name,
            list=one,
            memory=memory_of(
                name,
                one.kind,
                self._parts.store,
                self._world,
                is_scoped=scope_of(account) != EVERYTHING,
            ),
            settings=look_settings(self._config),
            rereads=rereads_of(name, one.kind, self._parts.metrics),
            affords=partial(refreshes.of, name, one.kind),
            now=self._world.now,
            send=send.send,
        )

    async def _gauge(self, account: Account, client: Client, budget: Budget) -> None:
        """Keep the gauges of an account's clock and budget up to date."""
        while True:
            metrics = self._parts.metrics
            metrics.skew(account.name, client.skew.total_seconds())
            for family, state in budget.state().items():
                metrics.budget(
                    account.name,
                    family.value,
                    rate=state.rate,
                    ceiling=state.ceiling,
                    paused_until=state.paused_until,
                )
            self._tell_of_pause(account, budget.state()[Family.PROCESSING].paused_until)
            await anyio.sleep(self._config.watch.beat.total_seconds())

    def _tell_of_pause(self, account: Account, until: datetime | None) -> None:
        """Say what the first looks wait for: after a restart that may be an hour."""
        if until is not None:
            for kind in kinds_of(self._config):
                self._parts.health.look_waits(
                    AccountName(account.name), kind, at=self._world.now(), until=until
                )

    async def _decide_once_more(self) -> None:
        # Shielded, so that what was seen last is decided on; what fails here is decided on later.
        with anyio.move_on_after(LAST_ROUND_WITHIN, shield=True):
            try:
                await self._alerter.round()
            except StoreError as error:
                log.warning("last_round_failed", problem=str(error))

    async def _clean_up(self) -> None:
        """Forget what is older than the config keeps, a bounded portion at a time."""
        while True:
            before = self._world.now() - self._config.store.keep
            forgotten = await self._world.in_thread(
                self._parts.store.write,
                lambda connection, before=before: forget(
                    connection, before, told=cursor(connection, CURSOR)
                ),
            )
            if forgotten:
                log.info("forgotten", rows=forgotten, before=before.isoformat())
            if forgotten < MOST_AT_ONCE:
                await anyio.sleep(CLEAN_UP_EVERY.total_seconds())
            else:
                await anyio.sleep(1)


@dataclass(frozen=True, slots=True)
class _Observed:
    """What delivering tells of its sends, counted."""

    metrics: Metrics

    def on_sent(self, receiver: str, seconds_since_created: float) -> None:
        self.metrics.sent(receiver, seconds_since_created)

    def on_failed(self, receiver: str, reason: str) -> None:
        self.metrics.send_failed(receiver, reason)


def young_enough(config: Config) -> timedelta:
    """Answer with how old head and watermark may be before a list counts as stale."""
    return 3 * config.watch.beat + config.watch.settle.floor + timedelta(seconds=30)
