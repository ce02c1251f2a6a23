"""What the daemon answers over HTTP and does when asked; nothing here calls TMC."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import anyio
import structlog

from tmcwatch import __version__
from tmcwatch.app.attending import attending_of
from tmcwatch.app.collecting import Collecting
from tmcwatch.app.letters import dead, meant, owed, portions, replayed, told_to
from tmcwatch.app.parts import Parts
from tmcwatch.app.promotions import listed, to_follow, unfinished
from tmcwatch.app.run_times import KeptRunTimes
from tmcwatch.app.templates import words_of
from tmcwatch.app.transactions import read, write
from tmcwatch.app.watch import young_enough
from tmcwatch.app.wiring import ownership_of, targets_of, watched_lists
from tmcwatch.app.world import World
from tmcwatch.config import Config
from tmcwatch.domain.alert import Alert, AlertId, Severity
from tmcwatch.domain.budget import Family
from tmcwatch.domain.choosing import Choice
from tmcwatch.domain.execution import AccountName, Transition
from tmcwatch.domain.message import IN_FULL, Message
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.promotion import Source
from tmcwatch.domain.snapshot import Snapshot
from tmcwatch.notifiers import NotifierError
from tmcwatch.serving.operations import (
    Json,
    Letters,
    NotKnown,
    Operations,
    Unavailable,
    Wanted,
)
from tmcwatch.serving.status import Asking, status_of
from tmcwatch.store.engine import Connection
from tmcwatch.store.letters import replay
from tmcwatch.store.outbox import newest_deliveries
from tmcwatch.store.promotions import follow_promotion
from tmcwatch.store.snapshot import read_snapshot
from tmcwatch.store.subjects import name_of
from tmcwatch.store.transitions import newest_transitions
from tmcwatch.telemetry.health import Verdict

log = structlog.get_logger()

Result = TypeVar("Result")

TEST_WITHIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers questions about the daemon that runs with `config()`."""

    config: Callable[[], Config]
    parts: Parts
    world: World
    run_times: KeptRunTimes = field(default_factory=KeptRunTimes)
    collecting: Collecting = field(default_factory=Collecting)

    def operations(self, reload: Callable[[], Awaitable[Sequence[str]]]) -> Operations:
        return Operations(
            health=self.parts.health,
            metrics=self.metrics,
            fresh=self.fresh,
            status=self.status,
            attending=attending_of(self.config, self.parts, self.world),
            transitions=self.transitions,
            deliveries=self.deliveries,
            owed_deliveries=self.owed_deliveries,
            dead_deliveries=self.dead_deliveries,
            replay_deliveries=self.replay_deliveries,
            promotions=self.promotions,
            follow_promotion=self.follow_promotion,
            reload=reload,
            notify_test=self.notify_test,
        )

    async def metrics(self, accept: str | None) -> tuple[bytes, str]:
        """Answer with the exposition; without the store it has only what the process counts."""
        with self.collecting.paused():
            try:
                snapshot = await self._read(self._told_as_metrics)
            except Unavailable:
                snapshot = None
            self.parts.metrics.store(ok=self.parts.health.is_store_up)
            answer = await self.world.in_thread(self.parts.metrics.render, snapshot, accept)
            del snapshot  # gone before garbage is looked for among it
        return answer

    def _told_as_metrics(self, connection: Connection) -> Snapshot:
        config, snapshot = self.config(), self._snapshot(connection)
        choice = Choice(matchers=config.metrics.detail, ownership=ownership_of(config))
        times = self.run_times.read(connection, choice, snapshot.subjects, snapshot.at)
        return replace(snapshot, run_times=times)

    def _snapshot(self, connection: Connection) -> Snapshot:
        return read_snapshot(connection, self.world.now()).of(watched_lists(self.config()))

    async def fresh(self) -> Verdict:
        snapshot = await self._read(self._snapshot)
        return self.parts.health.fresh(
            self.world.now(), snapshot.lists, young_enough=young_enough(self.config())
        )

    async def status(self) -> Json:
        snapshot = await self._read(self._snapshot)
        promotions = unfinished(await self.promotions())
        refused_at = self.parts.health.config_refused_at
        return {
            **status_of(snapshot, version=__version__, asking=self._asking()),
            "config_refused_at": moment_text(refused_at) if refused_at else None,
            "promotions": promotions,
        }

    async def alerts(self) -> Sequence[Mapping[str, object]]:
        """Answer with the alerts that changed last, newest first."""
        return await attending_of(self.config, self.parts, self.world).alerts(Wanted())

    async def transitions(self, most: int) -> Json:
        def work(connection: Connection) -> Json:
            found = newest_transitions(connection, most)
            return [
                _transition(one, name_of(connection, one.account, one.kind, one.subject))
                for one in found
            ]

        return await self._read(work)

    async def deliveries(self, most: int) -> Json:
        return await self._read(lambda connection: newest_deliveries(connection, most))

    async def owed_deliveries(self, receiver: str | None, most: int) -> Json:
        work = partial(owed, self.config(), receiver, most, now=self.world.now())
        return await self._read(work)

    async def dead_deliveries(self, receiver: str | None, most: int) -> Json:
        return await self._read(partial(dead, self.config(), receiver, most))

    async def replay_deliveries(self, letters: Letters) -> Json:
        """Owe dead letters again, a bounded number a transaction, and have them sent at once."""
        config = self.config()
        ids = await self._read(partial(meant, config, letters))
        done = []
        for portion in portions(ids):
            work = partial(replay, ids=portion, targets=told_to(config), now=self.world.now())
            done.append(await write(self.parts, self.world, work))
            self.parts.owed.ring()
        return replayed(letters, done, asked=len(ids))

    async def promotions(self) -> Json:
        return await self._read(partial(listed, now=self.world.now()))

    async def follow_promotion(self, account: str | None, execution: str) -> tuple[Json, bool]:
        """Follow an execution of a promotion from now on; answers whether that is new."""
        name, found = to_follow(self.config(), account, execution)
        work = partial(
            follow_promotion,
            account=name,
            execution=found,
            source=Source.REQUEST,
            now=self.world.now(),
        )
        is_new = await write(self.parts, self.world, work)
        return {"account": name, "execution": found, "watching": True}, is_new

    async def notify_test(self, receiver: str) -> Json:
        """Send a test message to every target of a receiver, past the outbox."""
        if receiver not in {one.name for one in self.config().receivers}:
            raise NotKnown(f"no receiver is called {receiver!r}")
        return await send_test(self.config(), self.world, receiver)

    def _asking(self) -> dict[AccountName, Asking]:
        found = {}
        for account in self.config().accounts:
            name = AccountName(account.name)
            budget = self.parts.budgets.get(account.budget_name)
            if budget is None:
                continue  # its watch has not begun
            state = budget.state()[Family.PROCESSING]
            found[name] = Asking(
                rate=state.rate,
                granted=state.granted,
                paused_until=state.paused_until,
                beats=self.parts.beats.of(name),
            )
        return found

    async def _read(self, work: Callable[[Connection], Result]) -> Result:
        return await read(self.parts, self.world, work)


async def send_test(config: Config, world: World, receiver: str) -> list[dict[str, object]]:
    """Send a test message by every way of telling `receiver`, and answer with what each said."""
    message = _test_message(receiver, world.now())
    words = await world.in_thread(words_of(config), message, IN_FULL)
    results: list[dict[str, object]] = []
    for target in targets_of(config, world, only=receiver):
        try:
            with anyio.fail_after(TEST_WITHIN):
                receipt = await target.notifier.send(message, words)
        except NotifierError as error:
            results.append({"target": target.name, "accepted": False, "text": error.text})
        except TimeoutError:
            text = f"no answer within {TEST_WITHIN:.0f} seconds"
            results.append({"target": target.name, "accepted": False, "text": text})
        else:
            results.append({"target": target.name, "accepted": True, "text": receipt.text})
        finally:
            await target.notifier.aclose()
    return results


def _test_message(receiver: str, now: datetime) -> Message:
    labels = {
        "alertname": "test",
        "rule": "test",
        "severity": Severity.INFO.value,
        "account": "test",
        "environment": "TEST",
        "workspace": "test",
        "kind": "task",
        "id": "test",
        "name": "notify_test",
        "trigger": "manual",
    }
    alert = Alert(
        id=AlertId("test"),
        rule="test",
        severity=Severity.INFO,
        labels=labels,
        annotations={
            "summary": "This is a test message of tmcwatch: if you can read it, it works.",
            "latest_at": moment_text(now),
        },
        starts_at=now,
        opened_at=now,
        changed_at=now,
    )
    return Message(
        key=f"test-{now.isoformat()}",
        receiver=receiver,
        group_key="test",
        group_labels={"rule": "test"},
        alerts=(alert,),
        created_at=now,
    )


def _transition(transition: Transition, name: str) -> dict[str, object]:
    return {
        "account": transition.account,
        "kind": transition.kind.value,
        "id": transition.subject,
        "name": name,
        "execution": transition.execution,
        "phase": transition.phase.value,
        "at": _text(transition.at),
        "seen_at": _text(transition.seen_at),
        "trigger": transition.trigger.value,
        "reason": transition.reason,
        "history": transition.quiet,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
