"""Telling what a list showed: completed by details and names, and sent as an observation."""

import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import anyio

from tmcwatch.api.errors import ApiError, NotFound
from tmcwatch.domain.execution import (
    BAD_ENDS,
    UNKNOWN,
    AccountName,
    ExecutionId,
    Kind,
    Phase,
    Row,
    Subject,
    SubjectId,
)
from tmcwatch.domain.observation import (
    Looked,
    LookFailed,
    LookProblem,
    Moment,
    NamesRead,
    Observation,
)
from tmcwatch.polling.asking import List, Memory
from tmcwatch.polling.reading import Read

DETAILS_AT_ONCE = 20
"""Details, and names of strangers, that one look asks for; the rest is told without."""

LEAST_DETAILS = 2
"""Those that a look asks for however late it is: what they cost the next head is bounded."""


_Wanted = TypeVar("_Wanted")


@dataclass(slots=True, kw_only=True)
class Teller:
    """Tells what one list of one account showed."""

    account: AccountName
    list: List
    memory: Memory
    now: Callable[[], datetime]
    send: Callable[[Observation], Awaitable[None]]
    judges_rows: bool = False
    """Whether tasks that succeeded are completed too, as rules ask for their row counts."""
    _nameless: set[SubjectId] = field(default_factory=set)

    def look(self, rows: Iterable[Row] = ()) -> Looked:
        """Make a look that showed `rows` and proves nothing, to be changed into what it was."""
        return Looked(
            account=self.account,
            kind=self.list.kind,
            at=self.now(),
            skew=self.list.skew,
            rows=tuple(rows),
            head=False,
        )

    async def tell(
        self, looked: Looked, *, watched_from: datetime, until: float = math.inf
    ) -> None:
        """Complete the rows of a look by details and names, and send it.

        What ended before `watched_from` is history and costs no details. Once `until` has come,
        on the clock of this process, the rest is told without: the next look is due.
        """
        await self._name_strangers(looked.rows, until)
        rows = await self._completed(await self._watched(looked.rows), watched_from, until)
        await self.send(replace(looked, at=self.now(), rows=rows))

    async def fail(self, problem: LookProblem, text: str) -> None:
        await self.send(
            LookFailed(
                account=self.account,
                kind=self.list.kind,
                at=self.now(),
                problem=problem,
                text=text,
            )
        )

    async def fail_to_prove(self, read: Read) -> None:
        window = read.window
        text = f"{window.start} to {window.end}: {read.doubt}"
        await self.fail(LookProblem.UNPROVEN, text)

    async def end(self) -> None:
        """Wait until what was told is committed: tracking takes this after it."""
        await self.send(Moment(at=self.now()))

    async def _watched(self, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        """Leave out what is not watched, so that it costs no details."""
        subjects = {row.subject for row in rows if row.subject is not None}
        outside = await self.memory.outside(subjects) if subjects else frozenset()
        return tuple(row for row in rows if row.subject not in outside) if outside else rows

    async def _completed(
        self, rows: tuple[Row, ...], watched_from: datetime, until: float
    ) -> tuple[Row, ...]:
        """Ask for the details of what turned bad: error text and failing step.

        After these come successes, where they are wanted.
        """
        ended = [
            row
            for row in rows
            if self._wants_details(row) and (row.ended_at or row.triggered_at) >= watched_from
        ]
        if not ended:
            return rows
        known = await self.memory.completed([row.id for row in ended])
        details: dict[ExecutionId, Row] = {}
        unknown = [row for row in ended if not _is_complete(row, known.get(row.id))]
        unknown.sort(key=lambda row: row.phase not in BAD_ENDS)
        for row in _in_time(unknown, until):
            try:
                details[row.id] = await self.list.completed(row)
            except NotFound:
                continue
            except ApiError:
                break  # told without: a failure must not wait for its error text
        return tuple(details.get(row.id, row) for row in rows)

    def _wants_details(self, row: Row) -> bool:
        if row.detailed and row.kind is Kind.TASK:
            return False
        is_judged = self.judges_rows and row.kind is Kind.TASK and row.phase is Phase.SUCCEEDED
        return row.phase in BAD_ENDS or is_judged

    async def _name_strangers(self, rows: Iterable[Row], until: float) -> None:
        """Look up tasks and plans that the directory lacks: names are frozen into alerts."""
        subjects = {row.subject for row in rows if row.subject is not None}
        strangers = await self.memory.unnamed(subjects - self._nameless) if subjects else set()
        found: list[Subject] = []
        for subject in _in_time(sorted(strangers), until):
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


def _is_complete(row: Row, known: Phase | None) -> bool:
    """Tell whether a row needs no detail, as it is `known` how its run ended, with details.

    A success that turned out to be bad has something to say for itself.
    """
    return known is not None and (known in BAD_ENDS or row.phase not in BAD_ENDS)


def _in_time(wanted: Sequence[_Wanted], until: float) -> Iterator[_Wanted]:
    """Give what may be asked for in one look, one by one while there is time."""
    for number, one in enumerate(wanted[:DETAILS_AT_ONCE]):
        if number >= LEAST_DETAILS and anyio.current_time() >= until:
            return
        yield one
