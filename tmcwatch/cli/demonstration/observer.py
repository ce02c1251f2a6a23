"""Looks at the daemon, the simulator and the inbox, one scene at a time."""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

import anyio

from tmcwatch.app import Daemon
from tmcwatch.app.world import InThread
from tmcwatch.cli.demonstration.inbox import Inbox
from tmcwatch.cli.demonstration.scene import Happening, ListRead, Scene, Totals
from tmcwatch.domain.built_in import WATCHING
from tmcwatch.domain.execution import Transition
from tmcwatch.simulator import Simulator
from tmcwatch.store.engine import Connection
from tmcwatch.store.subjects import load_subjects
from tmcwatch.store.transitions import transitions_after

KEPT = 200
MOST_AT_ONCE = 2_000
RATE_OVER = timedelta(seconds=10)


class Observer:
    def __init__(
        self, daemon: Daemon, simulator: Simulator, inbox: Inbox, *, in_thread: InThread
    ) -> None:
        self._daemon = daemon
        self._simulator = simulator
        self._inbox = inbox
        self._in_thread = in_thread
        self._began = anyio.current_time()
        self._sequence = 0
        self._transitions = 0
        self._executions: set[str] = set()
        self._happenings: deque[Happening] = deque(maxlen=KEPT)

    async def look(self) -> Scene:
        """Answer with the scene of this moment; raises Unavailable where the store fails."""
        answers = self._daemon.answers
        status = cast(Mapping[str, Any], await answers.status())
        alerts = cast(Sequence[Mapping[str, Any]], await answers.alerts())
        verdict = await answers.fresh()
        new = await self._in_thread(self._daemon.parts.store.read, self._new)
        self._happenings.extend(new)
        return Scene(
            elapsed=timedelta(seconds=anyio.current_time() - self._began),
            lists=tuple(_lists(status)),
            requests_per_second=self._rate(),
            allowed_per_second=sum(one["requests_per_second"] for one in status["accounts"]),
            not_fresh=verdict.reasons,
            fresh_happenings=new,
            happenings=tuple(self._happenings),
            told=self._inbox.told,
            totals=self._totals(alerts),
        )

    def _new(self, connection: Connection) -> tuple[Happening, ...]:
        """Read what the log has got since, without the history that is only read up."""
        found = transitions_after(connection, self._sequence, most=MOST_AT_ONCE)
        if found:
            self._sequence = found[-1][0]
        self._executions.update(one.execution for _, one in found)
        live = [one for _, one in found if not one.quiet]
        self._transitions += len(live)
        return tuple(_happening(connection, one) for one in live)

    def _rate(self) -> float:
        lately = self._simulator.journal.since(self._simulator.time() - RATE_OVER)
        elapsed = anyio.current_time() - self._began
        return len(lately) / min(max(elapsed, 1.0), RATE_OVER.total_seconds())

    def _totals(self, alerts: Sequence[Mapping[str, Any]]) -> Totals:
        real = [alert for alert in alerts if alert["labels"]["rule"] != WATCHING.name]
        return Totals(
            executions=len(self._executions),
            transitions=self._transitions,
            opened=len(real),
            ended=sum(alert["ends_at"] is not None for alert in real),
            told=self._inbox.total,
            requests=self._simulator.journal.total,
        )


def _happening(connection: Connection, one: Transition) -> Happening:
    found = load_subjects(connection, one.account, one.kind, [one.subject] if one.subject else [])
    named = next((subject for subject, _ in found.values()), None)
    return Happening(
        at=one.at,
        kind=one.kind.value,
        name=named.name if named else one.subject or one.execution,
        place=f"{named.environment}/{named.workspace}" if named else "",
        phase=one.phase,
        why=_why(one),
    )


def _why(one: Transition) -> str:
    if one.breakage is not None:
        return f"{one.breakage.step}: {one.breakage.error or one.error or ''}".removesuffix(": ")
    return one.error or one.reason or ""


def _lists(status: Mapping[str, Any]) -> list[ListRead]:
    return [
        ListRead(
            account=account["name"],
            kind=one["kind"],
            watermark_age=timedelta(seconds=one["watermark_age_seconds"]),
            open=one["open"],
        )
        for account in status["accounts"]
        for one in account["lists"]
    ]
