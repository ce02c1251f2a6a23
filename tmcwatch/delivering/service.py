"""Sends what the outbox owes to one target: in order, again after a failure, once if it can be."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

import anyio
import structlog

from tmcwatch.domain.delivery import (
    GIVE_UP_AFTER,
    SIDE_BY_SIDE,
    Delivery,
    DeliveryId,
    Failure,
    retry_wait,
    together_after,
)
from tmcwatch.domain.message import IN_FULL, Message, Wish, Words
from tmcwatch.domain.parking import Trouble, after_failure, is_known_refusal, told_at
from tmcwatch.notifiers import InThread, Notifier, NotifierCrashed, NotifierError
from tmcwatch.store import outbox
from tmcwatch.store.engine import Connection, Store
from tmcwatch.store.outbox import Work
from tmcwatch.store.parked import (
    end_trouble,
    is_told_failing,
    save_trouble,
    tell_failing,
    trouble_of,
)
from tmcwatch.supervisor import Bell

Result = TypeVar("Result")

log = structlog.get_logger()

SEND_WITHIN = 20.0
BEGIN_WITHIN = 2.0
"""Of what was claimed together, no send begins later: a stop waits for those under way."""
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
    one_by_one: bool = False
    """It keeps what it was told last: messages that overtake each other would leave the wrong."""
    wish: Wish = IN_FULL
    """Of its words: what its notifier does not read need not be made."""
    mirrored_every: timedelta | None = None
    """Of a mirror, which is owed no messages: how often it is shown the state."""


class Observed(Protocol):
    """Learns what became of each send."""

    def on_sent(self, receiver: str, seconds_since_created: float) -> None: ...

    def on_failed(self, receiver: str, reason: Failure) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the workers work with."""

    store: Store
    in_thread: InThread
    now: Callable[[], datetime]
    random: Callable[[], float]
    words: Callable[[Message, Wish], Words]
    observed: Observed
    changed: Bell = field(default_factory=Bell)
    """Rung for alerting, when a target begins or ends to fail."""


async def deliver(target: Target, *, bell: Bell, means: Means) -> None:
    """Send what is owed to the target until cancelled; a send under way is finished first."""
    await _Worker(target, means).run(bell)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of one send: a receipt, or an error."""

    delivery: Delivery
    receipt: str | None = None
    error: NotifierError | None = None


class _Worker:
    def __init__(self, target: Target, means: Means) -> None:
        self._target = target
        self._means = means
        # A receiver that asks to wait means all its messages, not only the one it refused.
        self._trouble: Trouble | None = None
        self._is_told = False
        """Whether alerting knows that it fails."""
        # One that cannot tell a repetition is never in doubt about more than one message.
        self._may_repeat = target.idempotent and not target.one_by_one
        self._together = 1

    async def run(self, bell: Bell) -> None:
        await self._recall()
        await self._settle_uncertain()
        while True:
            # Before looking, not after: a ring while it looks must not be lost.
            mark = bell.reset()
            await anyio.lowlevel.checkpoint()  # the one place where a stop takes hold
            if self._trouble is not None:
                await self._in_trouble()
            idle = self._quiet_seconds() or await self._idle_seconds()
            if idle > 0:
                await bell.wait(min(idle, self._seconds_until_told()), since=mark)
            else:
                await self._send_next()

    async def _recall(self) -> None:
        """Take up what is known of the target from before a restart."""
        name = self._target.name
        self._trouble = await self._read(lambda c: trouble_of(c, name))
        self._is_told = await self._read(lambda c: is_told_failing(c, name))

    async def _in_trouble(self) -> None:
        """See whether someone mended the login and replayed letters; tell what lasts too long."""
        self._trouble = await self._read(lambda c: trouble_of(c, self._target.name))
        trouble = self._trouble
        if trouble is None or self._is_told or self._means.now() < told_at(trouble):
            return
        if await self._read(lambda c: outbox.pending_count(c, self._target.name)):
            target = self._target
            await self._write(lambda c: tell_failing(c, target.name, target.receiver, trouble))
            self._told(trouble)

    async def _settle_uncertain(self) -> None:
        """Decide on what was being sent when the process last died."""
        target = self._target
        resend = target.idempotent or target.on_uncertain is OnUncertain.RESEND
        for delivery in await self._read(lambda c: outbox.uncertain(c, target.name)):
            log.warning("delivery_uncertain", target=target.name, delivery=delivery, resend=resend)
            if resend:
                await self._release(delivery)
            else:
                await self._hold(delivery)

    async def _release(self, delivery: DeliveryId) -> None:
        now = self._means.now()
        await self._write(lambda c: outbox.release(c, delivery, now))

    async def _send_next(self) -> None:
        # Shielded from the claim on, so that a shutdown neither parts sent messages from their
        # receipts nor leaves some that were never sent in doubt.
        with anyio.CancelScope(shield=True):
            now, most = self._means.now(), self._together
            claimed = await self._write(
                lambda c: outbox.take(c, self._target.name, now, most=most)
            )
            outcomes = await self._sent_all(claimed)
            accepted = [one for one in outcomes if one.receipt is not None]
            if accepted:
                await self._record(accepted)
            for outcome in outcomes:
                if outcome.error is not None:
                    await self._failed(outcome.delivery, outcome.error)
            tried = {outcome.delivery.id for outcome in outcomes}
            untried = [one.id for one in claimed if one.id not in tried]
            if untried:
                await self._write(lambda c: outbox.put_back(c, untried, now))
            self._together = together_after(
                len(outcomes),
                is_all=not untried,
                failed=len(accepted) < len(outcomes),
                may_repeat=self._may_repeat,
            )

    async def _sent_all(self, claimed: Sequence[Delivery]) -> list[_Outcome]:
        """Send what was claimed, a few side by side; answer with what became of each.

        What is left after a failure, or when a stop might have to wait too long, is not tried.
        """
        if len(claimed) == 1:
            return [await self._sent(claimed[0])]
        outcomes: list[_Outcome] = []
        rest, begin_until = iter(claimed), anyio.current_time() + BEGIN_WITHIN

        async def send() -> None:
            for delivery in rest:
                outcomes.append(await self._sent(delivery))
                is_late = anyio.current_time() > begin_until
                if is_late or any(outcome.error is not None for outcome in outcomes):
                    return

        async with anyio.create_task_group() as sends:
            for _ in range(min(SIDE_BY_SIDE, len(claimed))):
                sends.start_soon(send)
        return outcomes

    async def _sent(self, delivery: Delivery) -> _Outcome:
        try:
            with anyio.fail_after(SEND_WITHIN):
                message, wish = delivery.message, self._target.wish
                words = await self._means.in_thread(self._means.words, message, wish)
                receipt = await self._target.notifier.send(message, words)
        except NotifierError as error:
            return _Outcome(delivery=delivery, error=error)
        except TimeoutError:
            text = f"no answer within {SEND_WITHIN:.0f} seconds"
            return _Outcome(delivery=delivery, error=NotifierError(text, permanent=False))
        except Exception as error:  # a bug of words or notifier must not stop the other messages
            log.exception("notifier_crashed", target=self._target.name, delivery=delivery.id)
            return _Outcome(delivery=delivery, error=NotifierCrashed(self._target.name, error))
        return _Outcome(delivery=delivery, receipt=receipt.text[:_LONGEST_TEXT])

    async def _record(self, accepted: Sequence[_Outcome]) -> None:
        """Write all receipts in one transaction."""
        now, is_mended = self._means.now(), self._trouble is not None or self._is_told
        await self._write(lambda c: self._recorded(c, accepted, now, is_mended=is_mended))
        if is_mended:
            self._heal()
        for delivery in (outcome.delivery for outcome in accepted):
            seconds = (now - delivery.message.created_at).total_seconds()
            self._means.observed.on_sent(self._target.receiver, seconds)
            log.info(
                "message_delivered",
                target=self._target.name,
                delivery=delivery.id,
                alerts=len(delivery.message.alerts),
                attempts=delivery.attempts,
            )

    def _recorded(
        self,
        connection: Connection,
        accepted: Sequence[_Outcome],
        now: datetime,
        *,
        is_mended: bool,
    ) -> None:
        for one in accepted:
            outbox.delivered(connection, one.delivery.id, one.receipt or "", now)
        if is_mended:
            end_trouble(connection, self._target.name, now=now)

    def _heal(self) -> None:
        if self._is_told:
            log.info("delivery_works_again", target=self._target.name)
            self._means.changed.ring()
        self._trouble, self._is_told = None, False

    async def _failed(self, delivery: Delivery, error: NotifierError) -> None:
        now = self._means.now()
        self._means.observed.on_failed(self._target.receiver, reason_of(error))
        give_up_at = delivery.message.created_at + GIVE_UP_AFTER
        # Where the login is known to be refused, that must not kill one message after the other.
        waits = is_known_refusal(self._trouble, refused=error.authentication)
        if error.permanent and not waits:
            await self._give_up(delivery.id, error, error.text)
        elif now >= give_up_at:
            text = f"given up after {GIVE_UP_AFTER}: {error.text}"
            await self._give_up(delivery.id, error, text)
        else:
            await self._postpone(delivery, error, give_up_at)

    async def _postpone(
        self, delivery: Delivery, error: NotifierError, give_up_at: datetime
    ) -> None:
        now = self._means.now()
        backoff = retry_wait(delivery.attempts, jitter=self._means.random())
        asked = error.retry_after or None
        trouble = after_failure(
            self._trouble,
            now=now,
            refused=error.authentication,
            wait_until=min(now + asked, give_up_at) if asked else None,
        )
        # All wait for a refused login together, and go as soon as one message was accepted.
        wanted = now if error.authentication else now + (asked or backoff)
        due_at = min(wanted, give_up_at)
        text = error.text[:_LONGEST_TEXT]
        await self._write(
            lambda c: self._postponed(c, delivery.id, trouble, due_at=due_at, text=text)
        )
        self._trouble = trouble
        log.warning(
            "delivery_postponed",
            target=self._target.name,
            delivery=delivery.id,
            attempts=delivery.attempts,
            due_at=due_at.isoformat(),
            error=text,
        )

    def _postponed(
        self,
        connection: Connection,
        id_: DeliveryId,
        trouble: Trouble,
        *,
        due_at: datetime,
        text: str,
    ) -> None:
        outbox.postpone(connection, id_, due_at, text, now=self._means.now())
        if trouble != self._trouble:
            save_trouble(connection, self._target.name, trouble)

    async def _give_up(self, delivery: DeliveryId, error: NotifierError, text: str) -> None:
        """Bury what was refused for good; that the target does so is told through another."""
        now = self._means.now()
        trouble = after_failure(self._trouble, now=now, refused=error.authentication)
        await self._bury(delivery, text, trouble)
        self._trouble = trouble
        self._told(trouble)

    async def _hold(self, delivery: DeliveryId) -> None:
        now = self._means.now()
        await self._write(lambda c: outbox.hold(c, delivery, _HELD, now))
        log.warning("delivery_held", target=self._target.name, delivery=delivery)

    async def _bury(self, delivery: DeliveryId, error: str, trouble: Trouble) -> None:
        text = error[:_LONGEST_TEXT]
        await self._write(lambda c: self._buried(c, delivery, text, trouble))
        log.warning("delivery_dead", target=self._target.name, delivery=delivery, error=text)

    def _buried(
        self, connection: Connection, delivery: DeliveryId, text: str, trouble: Trouble
    ) -> None:
        outbox.bury(connection, delivery, text, self._means.now())
        save_trouble(connection, self._target.name, trouble)
        tell_failing(connection, self._target.name, self._target.receiver, trouble)

    def _told(self, trouble: Trouble) -> None:
        if not self._is_told:
            # An error, as the alert itself may have no other way than this one.
            log.error(
                "delivery_failing",
                target=self._target.name,
                since=trouble.since.isoformat(),
                refused_login=trouble.refused,
            )
            self._is_told = True
            self._means.changed.ring()

    def _quiet_seconds(self) -> float:
        """Answer for how long the target is to be left alone."""
        if self._trouble is None:
            return 0
        return max((self._trouble.until - self._means.now()).total_seconds(), 0)

    def _seconds_until_told(self) -> float:
        if self._trouble is None or self._is_told:
            return math.inf
        seconds = (told_at(self._trouble) - self._means.now()).total_seconds()
        return seconds if seconds > 0 else math.inf

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


def reason_of(error: NotifierError) -> Failure:
    if isinstance(error, NotifierCrashed):
        return Failure.CRASHED
    if error.authentication:
        return Failure.AUTHENTICATION
    if error.permanent:
        return Failure.PERMANENT
    return Failure.THROTTLED if error.retry_after else Failure.TEMPORARY
