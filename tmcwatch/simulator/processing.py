"""TMC's Processing API: lists of executions, and executions by id."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tmcwatch.simulator import rows
from tmcwatch.simulator.execution import PlanRun, StepRun, TaskRun
from tmcwatch.simulator.index import Index, Matches, Span
from tmcwatch.simulator.queries import (
    HEX_ID,
    UUID_ID,
    Query,
    Refused,
    checked_id,
    plan_query,
    task_query,
)
from tmcwatch.simulator.simulator import Simulator
from tmcwatch.simulator.view import View
from tmcwatch.simulator.world import World

Run = TypeVar("Run", bound=TaskRun | PlanRun)
SKEW = "tmcwatch.skew"
TASKS = "/processing/executables/tasks"
PLANS = "/processing/executables/plans"
RUNS = "/processing/executions"


class Processing:
    """The endpoints; each answers from the world as one request sees it."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        steps = f"{RUNS}/plans/{{execution}}/steps"
        return [
            Route(f"{TASKS}/executions", self.task_runs, methods=["GET", "POST"]),
            Route(f"{TASKS}/{{subject}}/executions", self.runs_of_task),
            Route(f"{PLANS}/executions", self.plan_runs),
            Route(f"{PLANS}/{{subject}}/executions", self.runs_of_plan),
            Route(f"{RUNS}/plans/{{execution}}", self.plan_run),
            Route(steps, self.steps),
            Route(f"{steps}/{{step}}", self.step),
            Route(f"{steps}/{{step}}/error-handler", self.error_handler),
            Route(f"{RUNS}/{{execution}}", self.task_run),
        ]

    async def task_runs(self, request: Request) -> Response:
        view = self._view(request)
        params = await _params(request)
        query = task_query(params, self._simulator.dialect, now=view.now + view.skew)
        world = self._simulator.world
        index = _index(world, query, world.tasks, world.tasks_of)
        return self._list(request, query, view, index, rows.task_row)

    async def runs_of_task(self, request: Request) -> Response:
        view = self._view(request)
        task_id = checked_id(request.path_params["subject"], HEX_ID, "Task ID")
        world = self._simulator.world
        task = world.tenant.task(task_id)
        if task is None or task.workspace.id in view.lost:
            raise Refused(404, "Not Found")
        params = dict(request.query_params)
        query = task_query(params, self._simulator.dialect, now=view.now + view.skew)
        index = world.tasks_of.get(task_id, Index[TaskRun]())
        return self._list(request, query, view, index, rows.task_row)

    async def plan_runs(self, request: Request) -> Response:
        view = self._view(request)
        query = plan_query(dict(request.query_params), now=view.now + view.skew)
        world = self._simulator.world
        index = _index(world, query, world.plans, world.plans_of)
        return self._list(request, query, view, index, rows.plan_row)

    async def runs_of_plan(self, request: Request) -> Response:
        view = self._view(request)
        plan_id = checked_id(request.path_params["subject"], UUID_ID, "Plan ID")
        world = self._simulator.world
        plan = world.tenant.plan(plan_id)
        if plan is None or plan.workspace.id in view.lost:
            raise Refused(404, "Not Found")
        query = plan_query(dict(request.query_params), now=view.now + view.skew)
        index = world.plans_of.get(plan_id, Index[PlanRun]())
        return self._list(request, query, view, index, rows.plan_row)

    async def task_run(self, request: Request) -> Response:
        view = self._view(request)
        what = "Task execution ID"
        execution_id = checked_id(request.path_params["execution"], UUID_ID, what)
        world = self._simulator.world
        run = world.task_run(execution_id)
        if run is None or not view.shows(run):
            raise Refused(404, "Not Found")
        return JSONResponse(rows.task_detail(run, view, world.tenant.account_id))

    async def plan_run(self, request: Request) -> Response:
        view = self._view(request)
        run = self._plan_run(request, view)
        return JSONResponse(rows.plan_detail(run, view, self._account_id))

    async def steps(self, request: Request) -> Response:
        view = self._view(request)
        run = self._plan_run(request, view)
        return JSONResponse([rows.step_row(run, step, view) for step in run.plan.steps])

    async def step(self, request: Request) -> Response:
        view = self._view(request)
        run = self._plan_run(request, view)
        played = _step(run, request, view)
        return JSONResponse(rows.step_detail(played, run, view, self._account_id))

    async def error_handler(self, request: Request) -> Response:
        view = self._view(request)
        run = self._plan_run(request, view)
        handler = _step(run, request, view).handler
        if handler is None or handler.started > view.as_of(run):
            raise Refused(404, "Not Found")
        return JSONResponse(rows.step_detail(handler, run, view, self._account_id))

    @property
    def _account_id(self) -> str:
        return self._simulator.world.tenant.account_id

    def _view(self, request: Request) -> View:
        return self._simulator.view(request.url.path, skew=request.scope[SKEW])

    def _plan_run(self, request: Request, view: View) -> PlanRun:
        execution_id = request.path_params["execution"]
        checked_id(execution_id, UUID_ID, "Plan execution ID")
        run = self._simulator.world.plan_run(execution_id)
        if run is None or not view.shows(run):
            raise Refused(404, "Not Found")
        return run

    def _list(  # noqa: PLR0917 - the five things every list is made of
        self,
        request: Request,
        query: Query,
        view: View,
        index: Index[Run],
        render: Callable[[Run, View], rows.Json],
    ) -> Response:
        span = Span(
            query.earliest - view.skew,
            query.latest - view.skew,
            self._simulator.window,
        )
        matches = index.select(span, view, _filter(query, view))
        runs = self._page(request.url.path, matches, query)
        items = [render(run, view) for run in runs]
        page = {
            "items": self._spoilt(request.url.path, items, query.limit),
            "limit": query.limit,
            "offset": query.offset,
            "total": len(matches),
        }
        return JSONResponse(page)

    def _page(self, path: str, matches: Matches[Run], query: Query) -> list[Run]:
        faults = self._simulator.faults
        if faults.strike("unstable_order", path) is None:
            return matches.page(query.offset, query.limit, self._simulator.dialect.order)
        order = faults.shuffled(len(matches))
        return [matches[n] for n in order[query.offset : query.offset + query.limit]]

    def _spoilt(self, path: str, items: list[Any], limit: int) -> list[Any]:
        """Duplicate or spoil a row where a fault says so; a full page pushes its last row out."""
        if items and self._simulator.faults.strike("duplicate", path):
            items = [items[0], *items][:limit]
        if items and (fault := self._simulator.faults.strike("bad_row", path)):
            middle = len(items) // 2
            wrong = {"status": 17, "triggerTimestamp": "yesterday", "startTimestamp": []}
            items[middle] = None if fault.text("shape") == "null" else items[middle] | wrong
        return items


def _index(
    world: World, query: Query, everything: Index[Run], of: Mapping[str, Index[Run]]
) -> Index[Run]:
    """Pick the smallest index that has everything asked for."""
    workspace = world.tenant.workspace(query.workspace_id) if query.workspace_id else None
    if workspace and query.environment_id not in {None, workspace.environment.id}:
        raise Refused(400, "The workspace does not belong to the environment.")
    place = query.workspace_id or query.environment_id
    return everything if place is None else of.get(place, Index[Run]())


def _filter(query: Query, view: View) -> Callable[[TaskRun | PlanRun, int], bool] | None:
    """Return what must be looked at row by row, or None, which keeps a page cheap."""
    if query.status is None and not query.tags and view.hides_nothing:
        return None

    def keep(run: TaskRun | PlanRun, at: int) -> bool:
        if not view.lists(run):
            return False
        if isinstance(run, TaskRun) and not query.tags <= set(run.task.tags):
            return False
        return query.status is None or _has_status(run.status(at), query.status)

    return keep


def _has_status(status: str, wanted: str) -> bool:
    """As documented: `terminated` also matches its variants."""
    return status == wanted or (wanted == "terminated" and status.startswith("terminated_"))


def _step(run: PlanRun, request: Request, view: View) -> StepRun:
    step_id = checked_id(request.path_params["step"], UUID_ID, "Step execution ID")
    for played in run.steps:
        if played.execution_id == step_id and played.started <= view.as_of(run):
            return played
    raise Refused(404, "Not Found")


async def _params(request: Request) -> Mapping[str, object]:
    if request.method == "GET":
        return dict(request.query_params)
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise Refused(400, "The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise Refused(400, "The body is not an object.")
    return body
