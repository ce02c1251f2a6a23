"""The wiring: services nested in the order of the flow, so that leaving them is the shutdown."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import anyio
import structlog
from anyio.streams.memory import MemoryObjectSendStream

from tmcwatch.alerting.calm import CURSOR
from tmcwatch.alerting.maintaining import is_in_force
from tmcwatch.alerting.mirroring import alerts_for
from tmcwatch.alerting.service import Alerter
from tmcwatch.app.budgets import BudgetKeeping, open_budgets, write_last_changes
from tmcwatch.app.parts import Parts, store_fails
from tmcwatch.app.planning import warn
from tmcwatch.app.pollers import Pollers, Service
from tmcwatch.app.templates import words_of
from tmcwatch.app.throttling import ThrottleWatch
from tmcwatch.app.wiring import (
    mutes_of,
    scopes_of,
    settings_of,
    targets_of,
    watched_lists,
    watchfulness_of,
)
from tmcwatch.app.world import World
from tmcwatch.config import Config, rules_of
from tmcwatch.delivering import Means, Mirror, Target, deliver, keep_in_step
from tmcwatch.domain.delivery import Failure
from tmcwatch.domain.execution import AccountName
from tmcwatch.domain.observation import Observation
from tmcwatch.store.engine import StoreError
from tmcwatch.store.retention import MOST_AT_ONCE, forget
from tmcwatch.store.transitions import cursor
from tmcwatch.supervisor import Supervision, keep_running
from tmcwatch.telemetry.metrics import Metrics
from tmcwatch.tracking.service import Tracker

log = structlog.get_logger()

CLEAN_UP_EVERY = timedelta(hours=1)
LAST_ROUND_WITHIN = 5.0


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
        self._words = words_of(config)
        self._supervision = Supervision(
            outages=(StoreError,),
            outage=partial(store_fails, parts.health),
            began=parts.metrics.loop,
            restarted=parts.metrics.restarted,
        )
        self._alerter = Alerter(
            store=parts.store,
            in_thread=world.in_thread,
            now=world.now,
            settings=settings_of(config),
            changed=parts.changed,
            owed=parts.owed,
            suppressed=parts.metrics.suppressed,
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
            changed=self._parts.changed,
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
            pollers = Pollers(config=self._config, parts=self._parts, world=self._world, send=send)
            for name, service in (*pollers.services(stack), ("clean-up", self._clean_up)):
                polling.start_soon(self._keep, name, service)
            for keeping in self._keepings:
                name = f"remembering the budget of {keeping.name}"
                polling.start_soon(self._keep, name, keeping.run)
                name = f"watching for refusals of {keeping.name}"
                polling.start_soon(self._keep, name, self._throttle_watch(keeping).run)
            self._parts.health.started()
            await stop.wait()
            polling.cancel_scope.cancel()
        # Shielded, so that the next process begins with what the last request told.
        with anyio.move_on_after(LAST_ROUND_WITHIN, shield=True):
            await write_last_changes(self._keepings)

    def _throttle_watch(self, keeping: BudgetKeeping) -> ThrottleWatch:
        sharing = (one for one in self._config.accounts if one.budget_name == keeping.name)
        return ThrottleWatch(
            name=keeping.name,
            accounts=tuple(AccountName(account.name) for account in sharing),
            budget=keeping.budget,
            store=self._parts.store,
            world=self._world,
            changed=self._parts.changed,
        )

    def _expect(self) -> None:
        config, lists = self._config, watched_lists(self._config)
        self._parts.health.watch(lists)
        self._parts.metrics.limit(config.metrics.series)
        self._parts.metrics.expect(
            lists=lists,
            audited=[one.name for one in config.accounts if config.watch.promotions.audit_log],
            receivers=[receiver.name for receiver in config.receivers],
            rules=[(rule.name, rule.severity.value) for rule in rules_of(config)],
            maintenance={
                one.name: partial(is_in_force, one) for one in mutes_of(config).maintenance
            },
        )

    async def _keep(self, name: str, service: Service) -> None:
        await keep_running(name, service, self._supervision)

    def _worker(self, target: Target) -> Service:
        """Answer with what sends to the target what it is owed, or keeps it in step."""
        means = Means(
            store=self._parts.store,
            in_thread=self._world.in_thread,
            now=self._world.now,
            random=self._world.random,
            words=self._words,
            observed=_Observed(self._parts.metrics),
            changed=self._parts.changed,
        )
        if target.mirrored_every is None:
            return partial(deliver, target, bell=self._parts.owed, means=means)
        settings, receiver = self._alerter.settings, target.receiver
        mirror = Mirror(
            target=target,
            every=target.mirrored_every,
            alerts=lambda connection, now: alerts_for(connection, settings, receiver, now=now),
            external_url=settings.external_url,
        )
        return partial(keep_in_step, mirror, bell=self._alerter.shown, means=means)

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

    def on_failed(self, receiver: str, reason: Failure) -> None:
        self.metrics.send_failed(receiver, reason)


def young_enough(config: Config) -> timedelta:
    """Answer with how old head and watermark may be before a list counts as stale."""
    return 3 * config.watch.beat + config.watch.settle.floor + timedelta(seconds=30)
