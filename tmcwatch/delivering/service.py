"""Sends what the outbox owes to one target: in order, again after a failure, once if it can be."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

import anyio
import structlog

from tmcwatch.domain.delivery import (
    GIVE_UP_AFTER,
    LONGEST_RETRY,
    Delivery,
    DeliveryId,
    retry_wait,
)
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import InThread, Notifier, NotifierCrashed, NotifierError, Receipt
from tmcwatch.store import outbox
from tmcwatch.store.engine import Store
from tmcwatch.store.letters import replayed_after
from tmcwatch.store.outbox import Work
from tmcwatch.supervisor import Bell

Result = TypeVar("Result")

log = structlog.get_logger()

SEND_WITHIN = 20.0
LOOK_AT_LEAST_EVERY = 30.0
_LONGEST_TEXT = 500
_HELD = (
    "the process ended while this was being sent: whether it arrived is not known,"
    " and the receiver is set to `on_uncertain: hold`"
)


class OnUncertain(StrEnum):
    """What to do with a message that may have arrived."""

    RESEND = "resend"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One way of telling a receiver, with a worker of its own."""

    name: str
    """As in the outbox: `oncall/webhook`."""
    receiver: str
    notifier: Notifier
    idempotent: bool
    on_uncertain: OnUncertain = OnUncertain.RESEND
    mirrored_every: timedelta | None = None
    """Of a mirror, which is owed no messages: how often it is shown the state."""


class Observed(Protocol):
    """Learns what became of each send."""

    def on_sent(self, receiver: str, seconds_since_created: float) -> None: ...

    def on_failed(self, receiver: str, reason: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the workers work with."""

    store: Store
    in_thread: InThread
    now: Callable[[], datetime]
    random: Callable[[], float]
    words: Callable[[Message], Words]
    observed: Observed


async def deliver(target: Target, *, bell: Bell, means: Means) -> None:
    """Send what is owed to the target until cancelled; a send under way is finished first."""
    await _Worker(target, means).run(bell)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quiet:
    """A time in which a receiver is left alone."""

    since: datetime
    until: datetime
    is_parked: bool
    """It refused the login, rather than asking to wait: a replay ends that."""


class _Worker:
    def __init__(self, target: Target, means: Means) -> None:
        self._target = target
        self._means = means
        # A receiver that asks to wait means all its messages, not only the one it refused.
        self._quiet: _Quiet | None = None

    async def run(self, bell: Bell) -> None:
        await self._settle_uncertain()
        while True:
            # Before looking, not after: a ring while it looks must not be lost.
            mark = bell.reset()
            await anyio.lowlevel.checkpoint()  # the one place where a stop takes hold
            idle = await self._quiet_seconds() or await self._idle_seconds()
            if idle > 0:
                await bell.wait(idle, since=mark)
            else:
                await self._send_next()

    async def _settle_uncertain(self) -> None:
        """Decide on what was being sent when the process last died."""
        target = self._target
        resend = target.idempotent or target.on_uncertain is OnUncertain.RESEND
        for delivery in await self._read(lambda c: outbox.uncertain(c, target.name)):
            log.warning("delivery_uncertain", target=target.name, delivery=delivery, resend=resend)
            if resend:
                await self._release(delivery)
            else:
                await self._bury(delivery, _HELD)

    async def _release(self, delivery: DeliveryId) -> None:
        now = self._means.now()
        await self._write(lambda c: outbox.release(c, delivery, now))

    async def _send_next(self) -> None:
        # Shielded from the claim on, so that a shutdown neither parts a sent message from its
        # receipt nor leaves one that was never sent in doubt.
        with anyio.CancelScope(shield=True):
            now = self._means.now()
            delivery = await self._write(lambda c: outbox.take(c, self._target.name, now))
            if delivery is not None:
                await self._send(delivery)

    async def _send(self, delivery: Delivery) -> None:
        try:
            with anyio.fail_after(SEND_WITHIN):
                words = await self._means.in_thread(self._means.words, delivery.message)
                receipt = await self._target.notifier.send(delivery.message, words)
        except NotifierError as error:
            await self._failed(delivery, error)
        except TimeoutError:
            text = f"no answer within {SEND_WITHIN:.0f} seconds"
            await self._failed(delivery, NotifierError(text, permanent=False))
        except Exception as error:  # a bug of words or notifier must not stop the other messages
            log.exception("notifier_crashed", target=self._target.name, delivery=delivery.id)
            text = f"the notifier crashed: {type(error).__name__}"
            await self._failed(delivery, NotifierError(text, permanent=False), reason="crashed")
        else:
            await self._sent(delivery, receipt)

    async def _sent(self, delivery: Delivery, receipt: Receipt) -> None:
        now = self._means.now()
        text = receipt.text[:_LONGEST_TEXT]
        await self._write(lambda c: outbox.delivered(c, delivery.id, text, now))
        seconds = (now - delivery.message.created_at).total_seconds()
        self._means.observed.on_sent(self._target.receiver, seconds)
        log.info(
            "message_delivered",
            target=self._target.name,
            delivery=delivery.id,
            alerts=len(delivery.message.alerts),
            attempts=delivery.attempts,
        )

    async def _failed(
        self, delivery: Delivery, error: NotifierError, *, reason: str | None = None
    ) -> None:
        now = self._means.now()
        self._means.observed.on_failed(self._target.receiver, reason or reason_of(error))
        give_up_at = delivery.message.created_at + GIVE_UP_AFTER
        if error.authentication:
            self._quiet = _Quiet(since=now, until=now + LONGEST_RETRY, is_parked=True)
        if error.permanent:
            await self._bury(delivery.id, error.text)
        elif now >= give_up_at:
            await self._bury(delivery.id, f"given up after {GIVE_UP_AFTER}: {error.text}")
        else:
            await self._postpone(delivery, error, give_up_at)

    async def _postpone(
        self, delivery: Delivery, error: NotifierError, give_up_at: datetime
    ) -> None:
        now = self._means.now()
        backoff = retry_wait(delivery.attempts, jitter=self._means.random())
        due_at = min(now + (error.retry_after or backoff), give_up_at)
        if error.retry_after:
            self._quiet = _Quiet(since=now, until=due_at, is_parked=False)
        text = error.text[:_LONGEST_TEXT]
        await self._write(lambda c: outbox.postpone(c, delivery.id, due_at, text, now=now))
        log.warning(
            "delivery_postponed",
            target=self._target.name,
            delivery=delivery.id,
            attempts=delivery.attempts,
            due_at=due_at.isoformat(),
            error=text,
        )

    async def _bury(self, delivery: DeliveryId, error: str) -> None:
        now, text = self._means.now(), error[:_LONGEST_TEXT]
        await self._write(lambda c: outbox.bury(c, delivery, text, now))
        log.warning("delivery_dead", target=self._target.name, delivery=delivery, error=text)

    async def _quiet_seconds(self) -> float:
        """Answer for how long the receiver is to be left alone."""
        if self._quiet is None:
            return 0
        seconds = (self._quiet.until - self._means.now()).total_seconds()
        if seconds <= 0 or (self._quiet.is_parked and await self._is_replayed(self._quiet.since)):
            self._quiet = None
            return 0
        return seconds

    async def _is_replayed(self, since: datetime) -> bool:
        """Tell whether someone who mended the login had letters sent again meanwhile."""
        return await self._read(lambda c: replayed_after(c, self._target.name, since))

    async def _idle_seconds(self) -> float:
        due_at = await self._read(lambda c: outbox.next_due_at(c, self._target.name))
        if due_at is None:
            return LOOK_AT_LEAST_EVERY
        seconds = (due_at - self._means.now()).total_seconds()
        return min(max(seconds, 0), LOOK_AT_LEAST_EVERY)

    async def _read(self, work: Work[Result]) -> Result:
        return await self._means.in_thread(self._means.store.read, work)

    async def _write(self, work: Work[Result]) -> Result:
        return await self._means.in_thread(self._means.store.write, work)


def reason_of(error: NotifierError) -> str:
    if isinstance(error, NotifierCrashed):
        return "crashed"
    if error.authentication:
        return "authentication"
    if error.permanent:
        return "permanent"
    return "throttled" if error.retry_after else "temporary"
