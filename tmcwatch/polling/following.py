"""Following what is open: read again by the fewest requests, and never ended by an absence."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from tmcwatch.api.errors import NotFound
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import BAD_ENDS, ENDS, OPEN, ExecutionId, Row
from tmcwatch.domain.following import OpenRun, cheapest_cover, in_turn
from tmcwatch.domain.observation import Followed, Position
from tmcwatch.domain.window import Window
from tmcwatch.polling.asking import List, Memory
from tmcwatch.polling.reading import Read
from tmcwatch.polling.telling import Teller

MISSING_AGAIN_AFTER = (5.0, 3600.0)
"""Seconds until an execution that answered 404 is asked for again, at first and at most."""

BAD_ENDS_WITHIN = timedelta(days=1)
"""How long ago a run may have been triggered whose bad end is looked for by its status."""

TELLING = timedelta(days=1)
"""A run older than this that a list does not show tells nothing of how TMC reads a window:
long-running services leave the lists after weeks."""


@dataclass(slots=True, kw_only=True)
class Follower:
    """Follows the open executions of one list, within so many requests at each look."""

    list: List
    memory: Memory
    teller: Teller
    most: int
    _read_at: dict[ExecutionId, float] = field(default_factory=dict)
    _missing: dict[ExecutionId, tuple[float, float]] = field(default_factory=dict)

    async def refresh(self, position: Position, head: Read, *, settle: timedelta) -> bool:
        """Read the open executions that the head did not show, by the fewest requests.

        Answers whether that showed that TMC's lists go by trigger: one that runs was not there.
        Where they are more than may be asked for, the newest bad ends are asked for by their
        status: that shows failures at once, whatever the size of the tenant.
        """
        followed = await self.memory.followed()
        self._forget_ended(followed)
        shown = {row.id for row in head.rows}
        due = [run for run in followed if run.id not in shown and self._is_due(run)]
        seen, left = await self._read(position, due) if due else ((), 0)
        if left or head.doubt is not None:
            await self._find_bad_ends(position)
        settled = head.window.end - settle
        return head.doubt is None and any(
            _ought_to_show(row, head.window, before=settled) for row in seen
        )

    async def _read(
        self, position: Position, due: Sequence[Followed]
    ) -> tuple[Sequence[Row], int]:
        """Read what is due; answer with it, and with how many were left for later.

        What has ended is told at once. The rest has mostly nothing new to tell, and is told
        together in the end, as each telling is a transaction.
        """
        runs = {run.id: OpenRun(id=run.id, triggered_at=run.triggered_at) for run in due}
        oldest = min(run.triggered_at for run in due)
        cover = cheapest_cover(runs.values(), await self.memory.triggers(oldest))
        seen: dict[ExecutionId, Row] = {}
        left = self.most
        for window in cover.windows[:left]:
            page = await self.list.page(window, 0, purpose=Purpose.ENDS)
            left -= 1
            fresh = {row.id: row for row in page.rows if runs.pop(row.id, None) is not None}
            seen |= fresh
            await self._tell(position, [row for row in fresh.values() if row.phase in ENDS])
        ids = tuple(in_turn(runs.values(), self._read_at))
        for id_ in ids[: max(left, 0)]:
            one = await self._one(id_)
            if one is not None:
                seen[id_] = one
                await self._tell(position, [one] if one.phase in ENDS else [])
        await self._tell(position, [row for row in seen.values() if row.phase not in ENDS])
        return tuple(seen.values()), len(ids[max(left, 0) :])

    async def _find_bad_ends(self, position: Position) -> None:
        """Ask by status for what ended badly: believed for what it shows, never for the rest."""
        now = self.list.now()
        window = Window(start=now - BAD_ENDS_WITHIN, end=now)
        for status in self.list.bad_statuses:
            page = await self.list.page(window, 0, purpose=Purpose.ENDS, status=status)
            await self._tell(
                position,
                [
                    row
                    for row in page.rows
                    if row.phase in BAD_ENDS
                    and (row.ended_at or row.triggered_at) >= position.watched_from
                ],
            )

    def _forget_ended(self, followed: Iterable[Followed]) -> None:
        still = {run.id for run in followed}
        self._read_at = {id_: at for id_, at in self._read_at.items() if id_ in still}
        self._missing = {id_: when for id_, when in self._missing.items() if id_ in still}

    def _is_due(self, run: Followed) -> bool:
        again_at, _ = self._missing.get(run.id, (0.0, 0.0))
        return anyio.current_time() >= again_at

    async def _one(self, id_: ExecutionId) -> Row | None:
        """Read one execution; one that TMC does not know is asked for again, never ended."""
        try:
            row = await self.list.one(id_, purpose=Purpose.ENDS)
        except NotFound:
            first, most = MISSING_AGAIN_AFTER
            _, wait = self._missing.get(id_, (0.0, first / 2))
            wait = min(2 * wait, most)
            self._missing[id_] = (anyio.current_time() + wait, wait)
            self._read_at[id_] = anyio.current_time()
            return None
        self._missing.pop(id_, None)
        return row

    async def _tell(self, position: Position, rows: Collection[Row]) -> None:
        for row in rows:
            self._read_at[row.id] = anyio.current_time()
        if rows:
            look = self.teller.look(rows)
            await self.teller.tell(look, watched_from=position.watched_from)


def _ought_to_show(row: Row, window: Window, *, before: datetime) -> bool:
    """Tell whether a run that still runs would overlap a window that did not show it."""
    return (
        row.phase in OPEN
        and row.started_at is not None
        and row.started_at < before
        and row.triggered_at < min(window.start, before)
        and window.end - row.triggered_at < TELLING
    )
