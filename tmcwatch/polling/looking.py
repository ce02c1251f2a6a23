"""One look at a list: the head with its certificate, then the executions that are still open."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

import anyio
import structlog

from tmcwatch.api.errors import ApiError, NotFound
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import (
    BAD_ENDS,
    UNKNOWN,
    AccountName,
    ExecutionId,
    Kind,
    Page,
    Row,
    Subject,
    SubjectId,
)
from tmcwatch.domain.observation import (
    Followed,
    Looked,
    LookFailed,
    LookProblem,
    Moment,
    NamesRead,
    Observation,
    Position,
)
from tmcwatch.domain.window import WIDEST, OpenRun, Window, cheapest_cover
from tmcwatch.polling.asking import List, Memory, problem_of
from tmcwatch.polling.reading import Read, Rereads, read_provably, single

log = structlog.get_logger()

DETAILS_AT_ONCE = 20
"""Details, and names of strangers, that one look asks for; the rest is told without."""

REACH_BACK = WIDEST - timedelta(minutes=5)
"""How far back TMC lets a window reach, less what its clock and ours may differ."""

MISSING_AGAIN_AFTER = (60.0, 3600.0)
"""Seconds until an execution that answered 404 is asked for again, at first and at most."""


CAUGHT_UP = timedelta(minutes=1)
"""How far the watermark may lag without another look at once: the beat catches up with it."""


class Outcome(Enum):
    """What became of a look."""

    PROVEN = auto()
    BEHIND = auto()
    """Proven, but there is more to read at once."""
    FAILED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class LookSettings:
    settle: timedelta
    """How long a row may take to show in the list."""
    history: timedelta
    """How much of the time before the first look is read."""
    refreshes: int
    """Requests that one look may spend on open executions."""


@dataclass(slots=True, kw_only=True)
class Looker:
    """Looks at one list of one account, and remembers between looks only what saves requests."""

    account: AccountName
    list: List
    memory: Memory
    settings: LookSettings
    rereads: Rereads
    now: Callable[[], datetime]
    send: Callable[[Observation], Awaitable[None]]
    _read_at: dict[ExecutionId, float] = field(default_factory=dict)
    _missing: dict[ExecutionId, tuple[float, float]] = field(default_factory=dict)
    _nameless: set[SubjectId] = field(default_factory=set)

    async def look(self) -> bool:
        """Look once and send what it told; answers whether it succeeded and proved something.

        After an outage it goes on at once, stretch by stretch, until it has caught up.
        """
        outcome = Outcome.BEHIND
        while outcome is Outcome.BEHIND:
            try:
                outcome = await self._look()
            except ApiError as error:
                await self.send(self._failed(problem_of(error), str(error)))
                outcome = Outcome.FAILED
            finally:
                # The tracker has committed the look when it takes this: the next one builds on it.
                await self.send(Moment(at=self.now()))
        return outcome is Outcome.PROVEN

    async def _look(self) -> Outcome:
        position = await self.memory.position()
        if position is None:
            await self._first_look()
            return Outcome.PROVEN
        read, watermark = await self._read_head(position)
        await self._tell(position, read.rows, read=read, watermark=watermark)
        await self._refresh(position, {row.id for row in read.rows})
        if watermark is None:
            text = f"{read.window.start} to {read.window.end}: {read.doubt}"
            await self.send(self._failed(LookProblem.UNPROVEN, text))
            return Outcome.FAILED
        is_behind = watermark < self.list.now() - self.settings.settle - CAUGHT_UP
        return Outcome.BEHIND if is_behind else Outcome.PROVEN

    async def _first_look(self) -> None:
        """Begin to watch from now on; what was before is history, read behind the head."""
        around = Window(start=self.list.now() - timedelta(minutes=1), end=self.list.now())
        page = await self._ask(around, 0)
        start = self.list.now()  # the answer has set the clock
        history = Window(start=start - self.settings.history, end=start)
        await self.send(
            Looked(
                account=self.account,
                kind=self.list.kind,
                at=self.now(),
                rows=page.rows,
                bad=page.bad,
                watermark=start - self.settings.settle,
                watched_from=start,
                history=history if self.settings.history else None,
            )
        )

    async def _read_head(self, position: Position) -> tuple[Read, datetime | None]:
        """Read what is new; answer with it and how far the watermark may move.

        Usually one page holds everything. Where it does not, the newest page is believed as far
        as it goes, and the stretch that has settled is read beside it with its certificate.
        """
        now, began = self.list.now(), anyio.current_time()
        start = max(position.watermark, now - REACH_BACK)
        if start > position.watermark:
            log.error(
                "gap",
                account=self.account,
                kind=self.list.kind.value,
                start=position.watermark.isoformat(),
                end=start.isoformat(),
                problem="TMC no longer shows what ran then",
            )
        newest = single(
            Window(start=start, end=max(now, start)),
            await self._ask(Window(start=start, end=max(now, start)), 0),
        )
        # The first answer of a process sets the clock: what lies in TMC's future is not proven.
        asked_at = self.list.now() - timedelta(seconds=anyio.current_time() - began)
        settled = min(now, asked_at) - self.settings.settle
        if newest.doubt is None:
            return newest, settled
        closed = await read_provably(
            self._ask, Window(start=start, end=max(settled, start)), self.rereads
        )
        rows = {row.id: row for row in (*closed.rows, *newest.rows)}
        together = Read(
            window=closed.window,
            rows=tuple(rows.values()),
            bad=newest.bad + closed.bad,
            doubt=closed.doubt,
            total=closed.total,
        )
        return together, closed.window.end if closed.doubt is None else None

    async def _refresh(self, position: Position, shown: set[ExecutionId]) -> None:
        """Read the open executions that the head did not show, by the fewest requests."""
        followed = await self.memory.followed()
        self._forget_ended(followed)
        due = [run for run in followed if run.id not in shown and self._is_due(run)]
        if not due:
            return
        cover = cheapest_cover(
            (OpenRun(id=run.id, triggered_at=run.triggered_at) for run in due),
            await self.memory.triggers(),
        )
        left = self.settings.refreshes
        wanted = {run.id for run in due}
        for window in cover.windows[:left]:
            page = await self._ask(window, 0, purpose=Purpose.ENDS)
            left -= 1
            fresh = tuple(row for row in page.rows if row.id in wanted)
            await self._seen(position, fresh)
            wanted -= {row.id for row in fresh}
        longest_unseen = sorted(wanted, key=lambda id_: self._read_at.get(id_, 0.0))
        for id_ in longest_unseen[: max(left, 0)]:
            row = await self._one(id_)
            if row is not None:
                await self._seen(position, (row,))

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
            return None
        self._missing.pop(id_, None)
        return row

    async def _seen(self, position: Position, rows: tuple[Row, ...]) -> None:
        for row in rows:
            self._read_at[row.id] = anyio.current_time()
        if rows:
            await self._tell(position, rows)

    async def _tell(
        self,
        position: Position,
        rows: Iterable[Row],
        *,
        read: Read | None = None,
        watermark: datetime | None = None,
    ) -> None:
        """Complete rows by details and names, and send them as one observation."""
        completed = await self._completed(position, tuple(rows))
        await self._name_strangers(completed)
        await self.send(
            Looked(
                account=self.account,
                kind=self.list.kind,
                at=self.now(),
                rows=completed,
                bad=read.bad if read else (),
                watermark=watermark,
                head=read is not None,
            )
        )

    async def _completed(self, position: Position, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        """Ask for the details of what turned bad: error text and failing step."""
        bad = [
            row
            for row in rows
            if row.phase in BAD_ENDS
            and not (row.detailed and row.kind is Kind.TASK)
            and (row.ended_at or row.triggered_at) >= position.watched_from
        ]
        if not bad:
            return rows
        known = await self.memory.completed([row.id for row in bad])
        details: dict[ExecutionId, Row] = {}
        for row in [row for row in bad if row.id not in known][:DETAILS_AT_ONCE]:
            try:
                details[row.id] = await self.list.completed(row)
            except NotFound:
                continue
            except ApiError:
                break  # told without: a failure must not wait for its error text
        return tuple(details.get(row.id, row) for row in rows)

    async def _name_strangers(self, rows: Iterable[Row]) -> None:
        """Look up tasks and plans that the directory lacks: names are frozen into alerts."""
        subjects = {row.subject for row in rows if row.subject is not None}
        strangers = await self.memory.unnamed(subjects - self._nameless) if subjects else set()
        found: list[Subject] = []
        for subject in sorted(strangers)[:DETAILS_AT_ONCE]:
            try:
                named = await self.list.named(subject)
            except NotFound:
                self._nameless.add(subject)
                continue
            except ApiError:
                break
            found.append(named)
            if named.environment == UNKNOWN:
                self._nameless.add(subject)  # TMC has no more to tell: asked once, not each look
        if found:
            await self.send(
                NamesRead(
                    account=self.account, at=self.now(), subjects=tuple(found), complete=False
                )
            )

    async def _ask(self, window: Window, offset: int, *, purpose: Purpose = Purpose.HEAD) -> Page:
        return await self.list.page(window, offset, purpose=purpose)

    def _failed(self, problem: LookProblem, text: str) -> LookFailed:
        return LookFailed(
            account=self.account, kind=self.list.kind, at=self.now(), problem=problem, text=text
        )
