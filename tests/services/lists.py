"""What the pollers' tests work with: a list to look at, a store, and what was sent."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio

from tests.domain.telling import LOAD, PROD
from tests.threads import inline
from tmcwatch.api.errors import ApiError, BadRequest, NotFound
from tmcwatch.app import World
from tmcwatch.app.remembering import memory_of
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import (
    ExecutionId,
    Kind,
    Page,
    Phase,
    Row,
    Subject,
    SubjectId,
    Transition,
    Trigger,
)
from tmcwatch.domain.observation import (
    Looked,
    LookFailed,
    Moment,
    NamesRead,
    Observation,
    Position,
)
from tmcwatch.domain.settling import Bounds
from tmcwatch.domain.window import OFFSET_LIMIT, PAGE_LIMIT, WHOLE, WIDEST, Part, Window
from tmcwatch.polling.looking import Looker, LookSettings
from tmcwatch.polling.reading import Rereads
from tmcwatch.store.capture import position
from tmcwatch.store.engine import Store
from tmcwatch.store.transitions import transitions_after
from tmcwatch.tracking.absorbing import absorb, absorb_names, portions

SETTLE = timedelta(seconds=10)
CEILING = timedelta(minutes=5)


def no_total(_: int) -> None:
    return None


@dataclass
class FakeList:
    """A list of TMC's: its rows as they are now, newest first, and what was asked of it."""

    clock: Callable[[], datetime]
    kind: Kind = Kind.TASK
    rows: dict[str, Row] = field(default_factory=dict)
    by_trigger: bool = False
    total: Callable[[int], int | None] = lambda count: count
    problems: list[ApiError | None] = field(default_factory=list)
    """What the next requests end with; None for an answer."""
    missing: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    """Left out of the list, but known by their ids."""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    widest: timedelta = WIDEST
    deepest: int = OFFSET_LIMIT
    oldest: timedelta | None = None
    skew: timedelta = timedelta()
    bad_statuses: tuple[str, ...] = ("failed", "terminated")

    def now(self) -> datetime:
        return self.clock() + self.skew

    def put(self, name: str, phase: Phase, *, ago: float = 0, ended: float | None = None, **more):
        """Put a run in, triggered and started so many seconds ago; or change it."""
        began = self.clock() - timedelta(seconds=ago)
        known = self.rows.get(name)
        facts: dict[str, Any] = {
            "kind": self.kind,
            "id": ExecutionId(name),
            "subject": LOAD.id,
            "phase": phase,
            "status": phase.value,
            "trigger": Trigger.SCHEDULED,
            "triggered_at": known.triggered_at if known else began,
            "started_at": known.started_at if known else began,
            "ended_at": None if ended is None else self.clock() - timedelta(seconds=ended),
        }
        self.rows[name] = Row(**(facts | more))

    async def page(
        self,
        window: Window,
        offset: int,
        *,
        purpose: Purpose,
        part: Part = WHOLE,
        status: str | None = None,
    ) -> Page:
        await self._ask("page" if status is None else f"{status} page", (window, offset, purpose))
        self._check(window, offset)
        shown = [
            row
            for row in self.rows.values()
            if row.id not in self.hidden
            and self._shows(row, window)
            and status in {None, row.status}
            and part.subject in {None, row.subject}
            and part.workspace in {None, row.workspace}
        ]
        shown.sort(key=lambda row: (row.triggered_at, row.id), reverse=True)
        rows = tuple(shown[offset : offset + PAGE_LIMIT])
        return Page(rows=rows, total=self.total(len(shown)), size=len(rows))

    def _check(self, window: Window, offset: int) -> None:
        """Refuse what this TMC does not take."""
        earliest = self.now() - (self.oldest or self.widest)
        if window.width > self.widest or window.start < earliest or offset > self.deepest:
            raise BadRequest("page", "too much", status=400)

    def _shows(self, row: Row, window: Window) -> bool:
        if self.by_trigger:
            return window.start <= row.triggered_at <= window.end
        return row.triggered_at <= window.end and (row.ended_at or self.now()) >= window.start

    async def one(self, execution: ExecutionId, *, purpose: Purpose) -> Row:
        assert purpose is Purpose.ENDS
        await self._ask("one", execution)
        if execution in self.missing:
            raise NotFound("one", "unknown", status=404)
        return replace(self.rows[execution], detailed=True)

    async def completed(self, row: Row) -> Row:
        await self._ask("completed", row.id)
        if row.id in self.missing:
            raise NotFound("completed", "unknown", status=404)
        return replace(row, error="boom", detailed=True)

    async def named(self, subject: SubjectId) -> Subject:
        await self._ask("named", subject)
        if subject in self.missing:
            raise NotFound("named", "unknown", status=404)
        return replace(LOAD, id=subject)

    async def _ask(self, what: str, about: object) -> None:
        self.asked.append((what, about))
        await anyio.sleep(self.seconds)
        problem = self.problems.pop(0) if self.problems else None
        if problem is not None:
            raise problem

    def count(self, what: str) -> int:
        return sum(asked == what for asked, _ in self.asked)


@dataclass
class Watching:
    """A list that is watched: each look is committed as tracking does."""

    tmc: FakeList
    store: Store
    now: Callable[[], datetime]
    history: timedelta = timedelta()
    refreshes: int = 10
    judges_rows: bool = False
    sent: list[Observation] = field(default_factory=list)
    rereads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget what only a process remembers."""
        self.looker = Looker(
            account=PROD,
            list=self.tmc,
            memory=memory_of(PROD, self.tmc.kind, self.store, self.world),
            settings=LookSettings(
                bounds=Bounds(floor=SETTLE, ceiling=CEILING),
                history=self.history,
                judges_rows=self.judges_rows,
            ),
            affords=lambda wanted: min(wanted, self.refreshes),
            rereads=Rereads(
                reread=lambda doubt: self.rereads.append(doubt.value),
                bisected=lambda: self.rereads.append("bisected"),
            ),
            now=self.now,
            send=self.send,
        )

    @property
    def world(self) -> World:
        return World(
            now=self.now,
            in_thread=inline,
            random=lambda: 0.5,
            environ={},
        )

    async def send(self, observation: Observation) -> None:
        self.sent.append(observation)
        match observation:
            case Looked():
                for portion in portions(observation):
                    self.store.write(partial(absorb, looked=portion))
            case NamesRead():
                self.store.write(partial(absorb_names, names=observation))
            case LookFailed() | Moment():
                pass

    async def look(self, *, after: float = 0.0) -> bool:
        """Look once, `after` seconds; only what this look asked and sent is remembered."""
        await anyio.sleep(after)
        self.sent.clear()
        self.tmc.asked.clear()
        return await self.looker.look()

    @property
    def position(self) -> Position:
        found = self.store.read(lambda c: position(c, PROD, self.tmc.kind))
        assert found is not None
        return found

    @property
    def looks(self) -> list[Looked]:
        return [one for one in self.sent if isinstance(one, Looked)]

    @property
    def failed(self) -> list[LookFailed]:
        return [one for one in self.sent if isinstance(one, LookFailed)]

    @property
    def told(self) -> list[tuple[str, Phase]]:
        """What the transition log says, in its order."""
        log = self.store.read(lambda connection: transitions_after(connection, 0, most=100_000))
        return [(step.execution, step.phase) for _, step in log]

    def ends(self, *, quiet: bool | None = None) -> list[tuple[str, Phase]]:
        log = self.store.read(lambda connection: transitions_after(connection, 0, most=100_000))
        return [
            (step.execution, step.phase)
            for _, step in log
            if step.phase not in {Phase.WAITING, Phase.RUNNING, Phase.STOPPING}
            and quiet in {None, step.quiet}
        ]

    def log_of(self, phase: Phase) -> list[Transition]:
        log = self.store.read(lambda connection: transitions_after(connection, 0, most=100_000))
        return [step for _, step in log if step.phase is phase]

    async def name_everything(self) -> None:
        """Tell that the names of the account were read."""
        await self.send(NamesRead(account=PROD, at=self.now(), subjects=(LOAD,), complete=True))
