"""The client of one account: one method per endpoint, each asked within the budget."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from urllib.parse import quote

import httpx

from tmcwatch.api import audit, names, payloads, promotions, steps
from tmcwatch.api.asking import Asker, Call, Question, ignore
from tmcwatch.api.breakage import breakage_of
from tmcwatch.api.budget import USUAL_BEAT, Budget, Room
from tmcwatch.api.connection import Connection, http_client
from tmcwatch.api.errors import Unavailable
from tmcwatch.api.service_account import GrantedToken, ServiceAccount
from tmcwatch.api.token import Token
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import (
    AccountName,
    Breakage,
    ExecutionId,
    Kind,
    Page,
    Row,
    Subject,
    SubjectId,
    Workspace,
)
from tmcwatch.domain.window import PAGE_LIMIT, Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_Value = TypeVar("_Value")


class Client:
    """Asks one account; every error is an ApiError, every call is seen by `observe`.

    `renew` makes another HTTP client when the pool of `http` is lost.
    """

    def __init__(  # noqa: PLR0913 - the outside of a client, each part replaceable
        self,
        account: AccountName,
        *,
        base_url: str,
        http: httpx.AsyncClient,
        budget: Budget,
        token: Token | ServiceAccount,
        now: Callable[[], datetime],
        observe: Callable[[Call], None] = ignore,
        renew: Callable[[], httpx.AsyncClient] = http_client,
        beat: timedelta = USUAL_BEAT,
    ) -> None:
        self.account = account
        self._connection = Connection(base_url, http, renew=renew)
        asker = partial(
            Asker,
            account,
            self._connection,
            budget=budget,
            room=Room(beat=beat),
            now=now,
            observe=observe,
        )
        if isinstance(token, ServiceAccount):
            granting = asker(token=token.secret, credential=token.credential)
            token = GrantedToken(
                account, token, ask=granting.ask_once, paused=partial(_is_paused, budget)
            )
        self._asker = asker(token=token)

    @property
    def skew(self) -> timedelta:
        """How far TMC's clock is ahead of ours."""
        return self._asker.skew

    def server_now(self) -> datetime:
        return self._asker.server_now()

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def task_executions(  # noqa: PLR0913 - the filters of the endpoint
        self,
        window: Window | None,
        *,
        purpose: Purpose,
        offset: int = 0,
        limit: int = PAGE_LIMIT,
        status: str | None = None,
        environment: str | None = None,
        workspace: str | None = None,
        tags: Sequence[str] = (),
    ) -> Page:
        filters = _filters(window, offset=offset, limit=limit, status=status)
        filters |= _where(environment, workspace)
        question = Question(
            operation="task_executions",
            path="/processing/executables/tasks/executions",
            query={} if tags else filters,
            body={**filters, "tags": list(tags)} if tags else None,
            purpose=purpose,
        )
        return await self._ask(question, payloads.task_page)

    async def task_executions_of(
        self,
        task_id: SubjectId,
        window: Window | None,
        *,
        purpose: Purpose,
        offset: int = 0,
        limit: int = PAGE_LIMIT,
        status: str | None = None,
    ) -> Page:
        question = Question(
            operation="task_executions_of",
            path=_path("/processing/executables/tasks/{}/executions", task_id),
            query=_filters(window, offset=offset, limit=limit, status=status),
            purpose=purpose,
        )
        return await self._ask(question, payloads.task_page)

    async def task_execution(self, execution_id: ExecutionId, *, purpose: Purpose) -> Row:
        question = _by_id("task_execution", "/processing/executions/{}", execution_id, purpose)
        return await self._ask(question, lambda body: payloads.task_detail(payloads.parsed(body)))

    async def plan_executions(
        self,
        window: Window | None,
        *,
        purpose: Purpose,
        offset: int = 0,
        limit: int = PAGE_LIMIT,
        status: str | None = None,
        environment: str | None = None,
        workspace: str | None = None,
    ) -> Page:
        filters = _filters(window, offset=offset, limit=limit, status=status)
        question = Question(
            operation="plan_executions",
            path="/processing/executables/plans/executions",
            query=filters | _where(environment, workspace),
            purpose=purpose,
        )
        return await self._ask(question, payloads.plan_page)

    async def plan_executions_of(
        self,
        plan_id: SubjectId,
        window: Window | None,
        *,
        purpose: Purpose,
        offset: int = 0,
        limit: int = PAGE_LIMIT,
        status: str | None = None,
    ) -> Page:
        question = Question(
            operation="plan_executions_of",
            path=_path("/processing/executables/plans/{}/executions", plan_id),
            query=_filters(window, offset=offset, limit=limit, status=status),
            purpose=purpose,
        )
        return await self._ask(question, payloads.plan_page)

    async def plan_execution(self, execution_id: ExecutionId, *, purpose: Purpose) -> Row:
        question = _by_id(
            "plan_execution", "/processing/executions/plans/{}", execution_id, purpose
        )
        return await self._ask(question, lambda body: payloads.plan_detail(payloads.parsed(body)))

    async def plan_steps(
        self, execution_id: ExecutionId, *, purpose: Purpose
    ) -> tuple[steps.Step, ...]:
        path = "/processing/executions/plans/{}/steps"
        return await self._ask(_by_id("plan_steps", path, execution_id, purpose), steps.steps)

    async def plan_step(
        self, execution_id: ExecutionId, step_execution_id: str, *, purpose: Purpose
    ) -> steps.StepDetail:
        path = "/processing/executions/plans/{}/steps/{}"
        question = _by_id("plan_step", path, (execution_id, step_execution_id), purpose)
        return await self._ask(question, steps.step_detail)

    async def plan_error_handler(
        self, execution_id: ExecutionId, step_execution_id: str, *, purpose: Purpose
    ) -> steps.StepDetail:
        path = "/processing/executions/plans/{}/steps/{}/error-handler"
        question = _by_id("plan_error_handler", path, (execution_id, step_execution_id), purpose)
        return await self._ask(question, steps.step_detail)

    async def breakage_of(
        self, execution_id: ExecutionId, *, purpose: Purpose = Purpose.DETAIL
    ) -> Breakage | None:
        """Ask where a plan execution broke: up to three requests."""
        return await breakage_of(self, execution_id, purpose=purpose)

    async def promotion_execution(self, execution_id: ExecutionId, *, purpose: Purpose) -> Row:
        path = "/processing/executions/promotions/{}"
        question = _by_id("promotion_execution", path, execution_id, purpose)
        return await self._ask(question, promotions.promotion_execution)

    async def promotions(self, *, purpose: Purpose) -> names.NamesPage:
        """Ask for every promotion: TMC has no pages of them."""
        path = "/orchestration/executables/promotions"
        question = _by_id("promotions", path, (), purpose)
        return await self._ask(question, promotions.promotion_names)

    async def promotion(self, promotion_id: SubjectId, *, purpose: Purpose) -> Subject:
        path = "/orchestration/executables/promotions/{}"
        question = _by_id("promotion", path, promotion_id, purpose)
        return await self._ask(
            question, lambda body: promotions.promotion_name(payloads.parsed(body))
        )

    async def audit_logs(
        self, window: Window, page: int, *, purpose: Purpose, size: int = PAGE_LIMIT
    ) -> audit.AuditPage:
        """Ask for one page, counted from 1, of what happened in a window; newest first."""
        question = Question(
            operation="audit_logs",
            path="/security/audit/logs",
            query={
                "fromDate": window.start.isoformat().replace("+00:00", "Z"),
                "toDate": window.end.isoformat().replace("+00:00", "Z"),
                "page": page,
                "size": size,
            },
            purpose=purpose,
        )
        return await self._ask(question, audit.audit_page)

    async def tasks(
        self, offset: int = 0, *, purpose: Purpose, limit: int = PAGE_LIMIT
    ) -> names.NamesPage:
        return await self._names(Kind.TASK, offset, limit=limit, purpose=purpose)

    async def plans(
        self, offset: int = 0, *, purpose: Purpose, limit: int = PAGE_LIMIT
    ) -> names.NamesPage:
        return await self._names(Kind.PLAN, offset, limit=limit, purpose=purpose)

    async def task(self, task_id: SubjectId, *, purpose: Purpose) -> Subject:
        question = _by_id("task", "/orchestration/executables/tasks/{}", task_id, purpose)
        return await self._ask(question, lambda body: names.detailed_task(payloads.parsed(body)))

    async def plan(self, plan_id: SubjectId, *, purpose: Purpose) -> Subject:
        question = _by_id("plan", "/orchestration/executables/plans/{}", plan_id, purpose)
        return await self._ask(question, lambda body: names.detailed_plan(payloads.parsed(body)))

    async def workspaces(self, *, purpose: Purpose) -> tuple[Workspace, ...]:
        question = _by_id("workspaces", "/orchestration/workspaces", (), purpose)
        return await self._ask(question, names.workspaces)

    async def environments(self, *, purpose: Purpose) -> tuple[names.Environment, ...]:
        question = _by_id("environments", "/orchestration/environments", (), purpose)
        return await self._ask(question, names.environments)

    async def _names(
        self, kind: Kind, offset: int, *, limit: int, purpose: Purpose
    ) -> names.NamesPage:
        question = Question(
            operation=f"{kind}s",
            path=f"/orchestration/executables/{kind}s",
            query={"limit": limit, "offset": offset},
            purpose=purpose,
        )
        return await self._ask(question, lambda body: names.names_page(kind, body))

    async def _ask(self, question: Question, read: Callable[[bytes], _Value]) -> _Value:
        body = await self._asker.ask(question)
        try:
            return read(body)
        except payloads.Unreadable as error:
            raise Unavailable(question.operation, str(error)) from error


def _by_id(operation: str, path: str, ids: str | tuple[str, ...], purpose: Purpose) -> Question:
    return Question(
        operation=operation,
        path=_path(path, *((ids,) if isinstance(ids, str) else ids)),
        purpose=purpose,
    )


def _path(template: str, *ids: str) -> str:
    return template.format(*(quote(identity, safe="") for identity in ids))


def _is_paused(budget: Budget) -> bool:
    return budget.state()[Family.SECURITY].paused_until is not None


def _filters(
    window: Window | None, *, offset: int, limit: int, status: str | None
) -> dict[str, str | int]:
    filters: dict[str, str | int] = {"limit": limit, "offset": offset}
    if window is not None:
        # Widened to whole milliseconds, so that nothing is cut off.
        filters["from"] = (window.start - _EPOCH) // _MILLISECOND
        filters["to"] = -((_EPOCH - window.end) // _MILLISECOND)
    if status is not None:
        filters["status"] = status
    return filters


def _where(environment: str | None, workspace: str | None) -> dict[str, str | int]:
    given = {"environmentId": environment, "workspaceId": workspace}
    return {name: value for name, value in given.items() if value is not None}
