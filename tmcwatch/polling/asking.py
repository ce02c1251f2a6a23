"""What pollers ask TMC and of what is believed; the one place where tasks and plans part."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from tmcwatch.api.client import Client
from tmcwatch.api.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    NotFound,
    Throttled,
    Unauthorized,
)
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import (
    Breakage,
    ExecutionId,
    Kind,
    Page,
    Phase,
    Row,
    Subject,
    SubjectId,
)
from tmcwatch.domain.observation import Followed, LookProblem, Position
from tmcwatch.domain.window import WHOLE, Part, Window


class List(Protocol):
    """One of TMC's two lists of executions, with the details of its rows."""

    @property
    def kind(self) -> Kind: ...

    @property
    def bad_statuses(self) -> tuple[str, ...]:
        """TMC's words for what ended badly, as its list can be asked for them."""
        ...

    @property
    def skew(self) -> timedelta:
        """How far TMC's clock is ahead of ours."""
        ...

    async def page(
        self,
        window: Window,
        offset: int,
        *,
        purpose: Purpose,
        part: Part = WHOLE,
        status: str | None = None,
    ) -> Page: ...

    async def one(self, execution: ExecutionId, *, purpose: Purpose) -> Row: ...

    async def completed(self, row: Row) -> Row:
        """Answer with a row that ended, completed by what only its details have."""
        ...

    async def named(self, subject: SubjectId) -> Subject: ...

    def now(self) -> datetime:
        """Answer with the time on TMC's clock."""
        ...


@dataclass(frozen=True, slots=True)
class TaskList:
    """Task executions."""

    client: Client
    kind: Kind = Kind.TASK
    # Asked for `terminated`, TMC also answers with what timed out or was shut down.
    bad_statuses: tuple[str, ...] = (
        "execution_failed",
        "deploy_failed",
        "execution_rejected",
        "terminated",
    )

    @property
    def skew(self) -> timedelta:
        return self.client.skew

    async def page(
        self,
        window: Window,
        offset: int,
        *,
        purpose: Purpose,
        part: Part = WHOLE,
        status: str | None = None,
    ) -> Page:
        if part.subject is not None:
            return await self.client.task_executions_of(
                part.subject, window, offset=offset, purpose=purpose, status=status
            )
        return await self.client.task_executions(
            window, offset=offset, purpose=purpose, status=status, workspace=part.workspace
        )

    async def one(self, execution: ExecutionId, *, purpose: Purpose) -> Row:
        return await self.client.task_execution(execution, purpose=purpose)

    async def completed(self, row: Row) -> Row:
        return await self.client.task_execution(row.id, purpose=Purpose.DETAIL)

    async def named(self, subject: SubjectId) -> Subject:
        return await self.client.task(subject, purpose=Purpose.NAMES)

    def now(self) -> datetime:
        return self.client.server_now()


@dataclass(frozen=True, slots=True)
class PlanList:
    """Plan executions; what broke is read from the steps."""

    client: Client
    kind: Kind = Kind.PLAN
    bad_statuses: tuple[str, ...] = ("execution_failed", "execution_misfired")

    @property
    def skew(self) -> timedelta:
        return self.client.skew

    async def page(
        self,
        window: Window,
        offset: int,
        *,
        purpose: Purpose,
        part: Part = WHOLE,
        status: str | None = None,
    ) -> Page:
        if part.subject is not None:
            return await self.client.plan_executions_of(
                part.subject, window, offset=offset, purpose=purpose, status=status
            )
        return await self.client.plan_executions(
            window, offset=offset, purpose=purpose, status=status, workspace=part.workspace
        )

    async def one(self, execution: ExecutionId, *, purpose: Purpose) -> Row:
        return await self.client.plan_execution(execution, purpose=purpose)

    async def completed(self, row: Row) -> Row:

        breakage: Breakage | None = await self.client.breakage_of(row.id)
        return replace(row, breakage=breakage, detailed=True)

    async def named(self, subject: SubjectId) -> Subject:
        return await self.client.plan(subject, purpose=Purpose.NAMES)

    def now(self) -> datetime:
        return self.client.server_now()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is believed about one list, as committed: a transaction rolled back leaves no gap."""

    position: Callable[[], Awaitable[Position | None]]
    followed: Callable[[], Awaitable[tuple[Followed, ...]]]
    triggers: Callable[[datetime], Awaitable[tuple[datetime, ...]]]
    """The newest trigger times known from a moment on, oldest first."""
    completed: Callable[[Collection[ExecutionId]], Awaitable[Mapping[ExecutionId, Phase]]]
    """How those of these ended that are complete."""
    unnamed: Callable[[Collection[SubjectId]], Awaitable[frozenset[SubjectId]]]
    """Which of these have no name, once the account's names were read."""
    outside: Callable[[Collection[SubjectId]], Awaitable[frozenset[SubjectId]]]
    """Which of these are not watched."""
    places: Callable[[], Awaitable[Mapping[str, tuple[SubjectId, ...]]]]
    """The workspaces known by id, with the tasks or plans of each."""


def problem_of(error: ApiError) -> LookProblem:
    """Answer with the decision that an error leaves a poller."""
    match error:
        case Unauthorized():
            return LookProblem.UNAUTHORIZED
        case Forbidden():
            return LookProblem.FORBIDDEN
        case Throttled():
            return LookProblem.THROTTLED
        case BadRequest() | NotFound():
            return LookProblem.REFUSED
        case _:
            return LookProblem.UNREACHABLE
