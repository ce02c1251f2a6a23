"""What alerting's tests work with: an account that is watched, and rounds of deciding on it."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import select

from tests.domain.telling import LOAD, PROD, at, row
from tmcwatch.alerting.calm import calm_round
from tmcwatch.alerting.deciding import Decided, decide_in_full
from tmcwatch.alerting.settings import AccountLinks, Receiver, Settings
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.delivery import Delivery
from tmcwatch.domain.execution import (
    AccountName,
    ExecutionId,
    Kind,
    Phase,
)
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.message import Message
from tmcwatch.domain.observation import Looked, NamesRead
from tmcwatch.domain.routing import Route
from tmcwatch.store import outbox, schema
from tmcwatch.store.alerts import newest_alerts
from tmcwatch.store.engine import Connection, Store
from tmcwatch.store.facts import message_from
from tmcwatch.tracking.absorbing import absorb, absorb_names

TEAM = Route(
    receiver="team",
    group_by=("...",),
    group_wait=timedelta(),
    group_interval=timedelta(),
)
SETTINGS = Settings(
    rules=tuple(BUILT_IN.values()),
    root=TEAM,
    receivers={"team": Receiver(targets=("team/webhook",))},
    accounts={},
)
NOTHING = Decided(more=False, owed=0, next_at=None, alerts=(), suppressed={})
WATCHED = at(-600)
WATCHED_ACCOUNTS = {PROD: AccountLinks()}
"""As a config has them that is settled; in rounds they would bring the opening digest."""


def route(receiver: str, *matchers: str, **changes: Any) -> Route:
    found = tuple(matcher_from(text) for text in matchers)
    return replace(TEAM, receiver=receiver, matchers=found, **changes)


def tree(*routes: Route, **changes: Any) -> Settings:
    names = {"team"} | {one.receiver for one in routes}
    return replace(
        SETTINGS,
        root=replace(TEAM, routes=routes),
        receivers={name: Receiver(targets=(f"{name}/webhook",)) for name in names},
        **changes,
    )


class Deciding:
    """An account that is watched, told of run by run, and rounds of deciding on it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.settings = SETTINGS
        self.runs = 0

    def watch(self, account: AccountName = PROD, **changes: Any) -> None:
        for kind in Kind:
            facts: dict[str, Any] = {"account": account, "kind": kind, "at": WATCHED, "rows": ()}
            look = Looked(**(facts | {"watched_from": WATCHED} | changes))
            self.store.write(partial(absorb, looked=look))

    def name(self, *subjects) -> None:
        names = NamesRead(account=PROD, at=WATCHED, subjects=subjects or (LOAD,), complete=True)
        self.store.write(lambda connection: absorb_names(connection, names))

    def see(self, phase: Phase, minute: float, *, seen: float | None = None, **changes: Any):
        """See a run end at `minute`, a few seconds later if nothing else is said."""
        self.runs += 1
        facts = {"id": ExecutionId(f"r{self.runs}"), "triggered_at": at(minute - 1)}
        one = row(
            phase, **(facts | {"started_at": at(minute - 1), "ended_at": at(minute)} | changes)
        )
        moment = at(minute if seen is None else seen) + timedelta(seconds=5)
        look = Looked(account=PROD, kind=one.kind, at=moment, rows=(one,))
        self.store.write(lambda connection: absorb(connection, look))
        return one

    def round(self, minute: float, *, is_thorough: bool = True) -> Decided:
        """Decide in full; where a glance says that this would change nothing, it must not."""

        def work(connection: Connection) -> Decided:
            asked: dict[str, Any] = {"now": at(minute), "is_thorough": is_thorough}
            calm = calm_round(connection, self.settings, **asked)
            driver: Any = connection.connection.driver_connection
            before = driver.total_changes
            decided = decide_in_full(connection, self.settings, **asked)
            if calm is not None:
                assert driver.total_changes == before
                assert decided == replace(NOTHING, next_at=calm.next_at)
            return decided

        return self.store.write(work)

    @property
    def facts(self) -> list[Message]:
        """The messages that are owed, in the order they were made."""
        column = schema.deliveries.c
        query = select(column.facts).order_by(column.created_at, column.receiver)
        facts = self.store.read(lambda connection: connection.execute(query).scalars().all())
        return [message_from(text) for text in facts]

    @property
    def messages(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What is owed: receiver and, for each alert, its rule and status."""
        return [(m.receiver, [(a.rule, a.status.value) for a in m.alerts]) for m in self.facts]

    @property
    def ids(self) -> set[str]:
        query = select(schema.deliveries.c.id)
        found: set[str] = self.store.read(lambda c: set(c.execute(query).scalars()))
        return found

    def sent(self) -> None:
        """Let everything owed be accepted, so that later messages stand on their own."""
        accept = schema.deliveries.update().values(state="delivered")
        self.store.write(lambda connection: connection.execute(accept))

    def take(self, minute: float) -> list[Delivery]:
        """Claim what may be sent by now."""
        work = partial(outbox.take, target="team/webhook", now=at(minute), most=99)
        return self.store.write(work)

    @property
    def alerts(self):
        return self.store.read(lambda connection: newest_alerts(connection, 99))
