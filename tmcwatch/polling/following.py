"""Following what is open: read again by the fewest requests, and never ended by an absence."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from tmcwatch.api.errors import NotFound
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import BAD_ENDS, ENDS, OPEN, ExecutionId, Row
from tmcwatch.domain.following import Cover, OpenRun, cheapest_cover, in_turn
from tmcwatch.domain.observation import Followed, Position
from tmcwatch.domain.window import Window
from tmcwatch.polling.asking import List, Memory
from tmcwatch.polling.reading import Read
from tmcwatch.polling.telling import Teller

MISSING_AGAIN_AFTER = (5.0, 3600.0)
"""Seconds until an execution that answered 404 is asked for again, at first and at most."""

BAD_ENDS_WITHIN = timedelta(days=1)
"""How long ago a run may have been triggered whose bad end is looked for by its status."""

NOTHING = Cover(windows=(), ids=())

TELLING = timedelta(days=1)
"""A run older than this that a list does not show tells nothing of how TMC reads a window:
long-running services leave the lists after weeks."""


@dataclass(slots=True, kw_only=True)
class Follower:
    """Follows the open executions of one list, within what the budget affords at each look."""

    list: List
    memory: Memory
    teller: Teller
    most: Callable[[int], int]
    """How many of so many requests a look may spend on them, as things are now."""
    _statuses: deque[str] = field(init=False)
    """Of bad ends, in the order in which they are asked for next."""
    _read_at: dict[ExecutionId, float] = field(default_factory=dict)
    _missing: dict[ExecutionId, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._statuses = deque(self.list.bad_statuses)

    async def refresh(
        self, position: Position, head: Read, *, settle: timedelta, until: float
    ) -> bool:
        """Read the open executions that the head did not show, by the fewest requests.

        Answers whether that showed that TMC's lists go by trigger: one that runs was not there.
        Where they are more than may be asked for, the newest bad ends are asked for by their
        status: that shows failures at once, whatever the size of the tenant. Once `until` has
        come, on the clock of this process, the rest is left: the next look at the head is due.
        """
        followed = await self.memory.followed()
        self._forget_ended(followed)
        shown = {row.id for row in head.rows}
        due = [run for run in followed if run.id not in shown and self._is_due(run)]
        seen, left, kept = await self._read(position, due, until)
        if left or head.doubt is not None:
            most = max(kept, 1) if left else len(self._statuses)
            await self._find_bad_ends(position, most, until=until)
        settled = head.window.end - settle
        return head.doubt is None and any(
            _ought_to_show(row, head.window, before=settled) for row in seen
        )

    async def _read(
        self, position: Position, due: Sequence[Followed], until: float
    ) -> tuple[Sequence[Row], int, int]:
        """Read what is due; answer with it, with how many were left, and what is kept for them.

        What has ended is told at once. The rest has mostly nothing new to tell, and is told
        together in the end, as each telling is a transaction.
        """
        runs = {run.id: OpenRun(id=run.id, triggered_at=run.triggered_at) for run in due}
        cover = await self._cover(runs.values())
        most, kept = self._dealt(cover.requests)
        allowed = _Allowed(most=most, until=until)
        seen: dict[ExecutionId, Row] = {}
        for window in cover.windows:
            if not allowed.one():
                break
            page = await self.list.page(window, 0, purpose=Purpose.ENDS)
            fresh = {row.id: row for row in page.rows if runs.pop(row.id, None) is not None}
            seen |= fresh
            ended = [row for row in fresh.values() if row.phase in ENDS]
            await self._tell(position, ended, allowed.until)
        ids = tuple(in_turn(runs.values(), self._read_at))
        if len(ids) > len(cover.ids):  # pages did not show what they should
            allowed.most, kept = self._dealt(len(cover.windows) + len(ids))
        asked = 0
        for id_ in ids:
            if not allowed.one():
                break
            asked += 1
            one = await self._one(id_)
            if one is not None:
                seen[id_] = one
                await self._tell(position, [one] if one.phase in ENDS else [], allowed.until)
        still_open = [row for row in seen.values() if row.phase not in ENDS]
        await self._tell(position, still_open, allowed.until)
        return tuple(seen.values()), len(ids) - asked, kept

    def _dealt(self, wanted: int) -> tuple[int, int]:
        """Answer with how many of so many requests may be made, and how many for bad ends."""
        most = self.most(wanted)
        # Where little may be asked, part of it shows more in a list of bad ends.
        kept = min(len(self._statuses), most // 2) if wanted > most else 0
        return most - kept, kept

    async def _cover(self, runs: Collection[OpenRun]) -> Cover:
        if not runs:
            return NOTHING
        oldest = min(run.triggered_at for run in runs)
        return cheapest_cover(runs, await self.memory.triggers(oldest))

    async def _find_bad_ends(self, position: Position, most: int, *, until: float) -> None:
        """Ask by status for what ended badly: believed for what it shows, never for the rest."""
        now = self.list.now()
        window = Window(start=now - BAD_ENDS_WITHIN, end=now)
        allowed = _Allowed(most=most, until=until)
        while allowed.one():
            status = self._statuses[0]
            self._statuses.rotate(-1)
            page = await self.list.page(window, 0, purpose=Purpose.ENDS, status=status)
            await self._tell(
                position,
                [
                    row
                    for row in page.rows
                    if row.phase in BAD_ENDS
                    and (row.ended_at or row.triggered_at) >= position.watched_from
                ],
                until,
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

    async def _tell(self, position: Position, rows: Collection[Row], until: float) -> None:
        for row in rows:
            self._read_at[row.id] = anyio.current_time()
        if rows:
            look = self.teller.look(rows)
            await self.teller.tell(look, watched_from=position.watched_from, until=until)


@dataclass(slots=True, kw_only=True)
class _Allowed:
    """So many requests, until a moment on the clock of this process, but at least one."""

    most: int
    until: float
    _taken: int = 0

    def one(self) -> bool:
        """Take one of them, where one is left."""
        is_over = anyio.current_time() >= self.until
        if self._taken >= (min(self.most, 1) if is_over else self.most):
            return False
        self._taken += 1
        return True


def _ought_to_show(row: Row, window: Window, *, before: datetime) -> bool:
    """Tell whether a run that still runs would overlap a window that did not show it."""
    return (
        row.phase in OPEN
        and row.started_at is not None
        and row.started_at < before
        and row.triggered_at < min(window.start, before)
        and window.end - row.triggered_at < TELLING
    )
