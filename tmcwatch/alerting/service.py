"""The service that decides: a round at every ring, every beat, and whenever a group is due."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import anyio
import structlog

from tmcwatch.alerting.deciding import Decided, decide, settle
from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert, Status
from tmcwatch.domain.muting import Suppression
from tmcwatch.store.engine import Store
from tmcwatch.supervisor import Bell

log = structlog.get_logger()

THOROUGH_EVERY = timedelta(seconds=60)
"""What no ring tells of, such as an alert that expires, waits no longer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerter:
    """What alerting works with."""

    store: Store
    in_thread: Callable[..., Awaitable[object]]
    now: Callable[[], datetime]
    settings: Settings
    changed: Bell
    """Rung by tracking."""
    owed: Bell
    """Rung for delivering."""
    shown: Bell = field(default_factory=Bell)
    """Rung for mirrors, which show each change at once."""
    suppressed: Callable[[Suppression, int], None] = lambda _reason, _number: None
    """Told why how many alerts are not told on their own."""

    async def run(self) -> None:
        """Decide until cancelled. Raises StoreError where the store fails."""
        since = thorough_at = self.now()
        work = partial(settle, settings=self.settings, now=since)
        await self.in_thread(self.store.write, work)
        while True:
            await anyio.lowlevel.checkpoint()
            mark = self.changed.reset()
            now = self.now()
            decided = await self.round(since, is_thorough=now >= thorough_at)
            if now >= thorough_at:
                later = now + THOROUGH_EVERY
                thorough_at = now if decided.more else min(decided.next_at or later, later)
            if not decided.more:
                next_at = min(decided.next_at or thorough_at, thorough_at)
                await self.changed.wait(self._until(next_at), since=mark)

    async def round(self, since: datetime | None = None, *, is_thorough: bool = True) -> Decided:
        """Decide once on everything that is there; `since` is when the watching began."""
        work = partial(
            decide,
            settings=self.settings,
            now=self.now(),
            since=since,
            is_thorough=is_thorough,
        )
        decided = await self.in_thread(self.store.write, work)
        assert isinstance(decided, Decided)  # noqa: S101 - what `work` answers with
        if decided.owed:
            self.owed.ring()
        if decided.alerts:
            self.shown.ring()
        for reason, number in decided.suppressed.items():
            self.suppressed(reason, number)
        for alert in decided.alerts:
            _tell(alert)
        return decided

    def _until(self, moment: datetime) -> float:
        return max((moment - self.now()).total_seconds(), 0.0)


def _tell(alert: Alert) -> None:
    log.info(
        "alert_opened" if alert.status is Status.FIRING else "alert_ended",
        alert=alert.id,
        rule=alert.rule,
        severity=alert.severity.value,
        account=alert.labels["account"],
        name=alert.labels["name"],
        count=alert.count,
        reason=alert.end_reason.value if alert.end_reason else None,
    )
