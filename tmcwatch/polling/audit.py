"""The audit log: read for executions of promotions that nobody told us of; off by default."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import structlog

from tmcwatch.api.client import Client
from tmcwatch.api.errors import ApiError, Forbidden
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import AccountName, ExecutionId
from tmcwatch.domain.window import PAGE_LIMIT, Window

log = structlog.get_logger()

EVERY = timedelta(minutes=3)
PARKED_FOR = timedelta(hours=1)
OVERLAP = timedelta(minutes=10)
"""Read again each time: how late an entry may appear is not documented."""
WIDEST = timedelta(hours=6)
"""At once after an outage, so that no page lies out of reach."""
MOST_PAGES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMemory:
    """What is remembered of the log, as committed."""

    read_to: Callable[[], Awaitable[datetime | None]]
    """TMC's time up to which the log was read, None before the first time."""
    save: Callable[[Collection[ExecutionId], datetime], Awaitable[None]]
    """Follow these executions, and remember up to when the log was read: together."""
    unread: Callable[[int], None]
    """Counts runs whose execution could not be read."""


@dataclass(slots=True, kw_only=True)
class AuditReader:
    """Reads the audit log of one account behind a cursor."""

    account: AccountName
    client: Client
    memory: AuditMemory
    _parked_until: float = field(default=float("-inf"))
    _unread: frozenset[str] = frozenset()

    async def look(self) -> bool:
        """Read what is new; answers whether TMC answered. A refusal parks it for an hour."""
        if anyio.current_time() < self._parked_until:
            return True
        try:
            while await self._read_stretch():
                pass
        except Forbidden as error:
            if self._parked_until == float("-inf"):
                log.warning("audit_log_forbidden", account=self.account, problem=str(error))
            self._parked_until = anyio.current_time() + PARKED_FOR.total_seconds()
        except ApiError as error:
            log.warning("audit_log_not_read", account=self.account, problem=str(error))
            return False
        return True

    async def _read_stretch(self) -> bool:
        """Read one stretch of the log; answers whether there is another."""
        read_to = await self.memory.read_to()
        now = self.client.server_now()
        if read_to is None:
            # What was before the first time is history.
            await self.memory.save((), now)
            return False
        window = Window(start=read_to - OVERLAP, end=min(now, read_to + WIDEST))
        if window.end <= read_to:
            return False
        await self.memory.save(await self._runs(window), window.end)
        return window.end < now

    async def _runs(self, window: Window) -> tuple[ExecutionId, ...]:
        found: dict[ExecutionId, None] = {}
        unread: set[str] = set()
        for number in range(1, MOST_PAGES + 1):
            page = await self.client.audit_logs(window, number, purpose=Purpose.AUDIT)
            found |= dict.fromkeys(page.executions)
            unread |= page.unread
            if page.size < PAGE_LIMIT:
                break
        else:
            log.warning("audit_log_too_long", account=self.account, pages=MOST_PAGES)
        self._count(frozenset(unread))
        return tuple(found)

    def _count(self, unread: frozenset[str]) -> None:
        # Stretches overlap: what the last one counted is not counted again.
        fresh = len(unread - self._unread)
        self._unread = unread
        self.memory.unread(fresh)
        if fresh:
            log.warning("audit_entries_unread", account=self.account, entries=fresh)
