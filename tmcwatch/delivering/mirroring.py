"""Keeps a mirror of what fires in step: pushed again before its time, and when it is over.

Nothing of it is stored: what a crash forgets is pushed again, or ends by itself in the mirror.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import anyio
import structlog

from tmcwatch.delivering.service import SEND_WITHIN, Means, Target, reason_of
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.delivery import LONGEST_RETRY, retry_wait
from tmcwatch.domain.message import Message, Words
from tmcwatch.domain.mirroring import failing, withdrawn
from tmcwatch.domain.parking import TOLD_AFTER
from tmcwatch.notifiers import NotifierError
from tmcwatch.store.conditions import begin_condition
from tmcwatch.store.engine import Connection
from tmcwatch.store.outbox import Work
from tmcwatch.store.parked import end_trouble, is_told_failing
from tmcwatch.supervisor import Bell

Result = TypeVar("Result")

log = structlog.get_logger()

MOST_AT_ONCE = 500
LEAST_BETWEEN = 1.0
"""Seconds between two rounds, so that what changes in a burst is pushed together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A target that is shown the state instead of being told of each change."""

    target: Target
    every: timedelta
    alerts: Callable[[Connection, datetime], Sequence[Alert]]
    """What it is to show."""
    external_url: str = ""


async def keep_in_step(mirror: Mirror, *, bell: Bell, means: Means) -> None:
    """Show the state at every ring and on a beat, until cancelled."""
    await _Mirroring(mirror, means).run(bell)


class _Mirroring:
    def __init__(self, mirror: Mirror, means: Means) -> None:
        self._mirror = mirror
        self._means = means
        self._pushed: tuple[Alert, ...] = ()
        self._attempts = 0
        self._problem = ""
        self._fails_since: datetime | None = None
        self._is_told = False
        """Whether alerting knows that it fails."""

    async def run(self, bell: Bell) -> None:
        name = self._mirror.target.name
        self._is_told = await self._read(lambda c: is_told_failing(c, name))
        while True:
            mark = bell.reset()
            error = await self._round()
            self._note(error)
            await (self._works() if error is None else self._fails(error))
            if error is not None and not _is_of_single_alerts(error):
                await anyio.sleep(self._back_off(error).total_seconds())
                continue
            self._attempts = 0
            await anyio.sleep(LEAST_BETWEEN)
            rest = self._mirror.every.total_seconds() - LEAST_BETWEEN
            await bell.wait(max(rest, 0), since=mark)

    async def _round(self) -> NotifierError | None:
        """Show everything; answers with what went wrong."""
        now, mirror = self._means.now(), self._mirror
        current = tuple(await self._read(lambda c: mirror.alerts(c, now)))
        # Kept whether or not it arrives: what may have arrived must not stay when it is over.
        self._pushed = current + withdrawn(self._pushed, current, now=now)
        # One that failed is asked whether it still does, also where nothing is left to show.
        is_in_doubt = self._fails_since is not None or self._is_told
        error = None
        for portion in _portions(self._pushed) or ([()] if is_in_doubt else []):
            failure = await self._push(portion, now)
            error = failure or error
            if failure is not None and not _is_of_single_alerts(failure):
                break
        return error

    async def _push(self, alerts: Sequence[Alert], now: datetime) -> NotifierError | None:
        target = self._mirror.target
        message = Message(
            key=f"{target.name}-{now.isoformat()}",
            receiver=target.receiver,
            group_key=target.name,
            group_labels={},
            alerts=tuple(alerts),
            created_at=now,
            external_url=self._mirror.external_url,
        )
        try:
            with anyio.fail_after(SEND_WITHIN):
                await target.notifier.send(message, _words(message))
        except NotifierError as error:
            return error
        except TimeoutError:
            return NotifierError(f"no answer within {SEND_WITHIN:.0f} seconds", permanent=False)
        return None

    def _note(self, error: NotifierError | None) -> None:
        """Count a failure, and say once that there is one and once that it is over."""
        target, problem = self._mirror.target, "" if error is None else error.text
        if error is not None:
            self._means.observed.on_failed(target.receiver, reason_of(error))
        if problem == self._problem:
            return
        self._problem = problem
        if problem:
            log.warning("mirror_fails", target=target.name, error=problem)
        else:
            log.info("mirror_works_again", target=target.name)

    async def _fails(self, error: NotifierError) -> None:
        """Have it told through another receiver, where it lasts or will not heal by itself."""
        now, target = self._means.now(), self._mirror.target
        since = self._fails_since = self._fails_since or now
        if self._is_told or not (error.permanent or now - since >= TOLD_AFTER):
            return
        condition = failing(target.name, target.receiver, since=since, error=error.text)
        await self._write(lambda c: begin_condition(c, condition))
        self._is_told = True
        self._means.changed.ring()

    async def _works(self) -> None:
        self._fails_since = None
        if self._is_told:
            now, name = self._means.now(), self._mirror.target.name
            await self._write(lambda c: end_trouble(c, name, now=now))
            self._is_told = False
            self._means.changed.ring()

    async def _read(self, work: Work[Result]) -> Result:
        return await self._means.in_thread(self._means.store.read, work)

    async def _write(self, work: Work[Result]) -> Result:
        return await self._means.in_thread(self._means.store.write, work)

    def _back_off(self, error: NotifierError) -> timedelta:
        every = self._mirror.every
        if error.permanent:
            return every
        wait = retry_wait(self._attempts, jitter=self._means.random())
        self._attempts += 1
        return min(error.retry_after or min(wait, every), LONGEST_RETRY)


def _is_of_single_alerts(error: NotifierError) -> bool:
    """Tell whether only some alerts were refused: that must not keep the others waiting."""
    return error.permanent and not error.authentication


def _portions(alerts: Sequence[Alert]) -> list[Sequence[Alert]]:
    starts = range(0, len(alerts), MOST_AT_ONCE)
    return [alerts[start : start + MOST_AT_ONCE] for start in starts]


def _words(message: Message) -> Words:
    """Say how many there are: a mirror shows facts, and is shown hundreds at a time."""
    text = f"{len(message.alerts)} alerts"
    return Words(title=text, text=text, markdown=text, html=text)
