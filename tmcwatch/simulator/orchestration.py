"""TMC's Orchestration API: the names of tasks, plans, workspaces and environments."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tmcwatch.simulator import rows
from tmcwatch.simulator.processing import SKEW
from tmcwatch.simulator.queries import HEX_ID, UUID_ID, Refused, checked_id, page_of
from tmcwatch.simulator.simulator import Simulator
from tmcwatch.simulator.tenant import Plan, Task, Tenant

Subject = TypeVar("Subject", Task, Plan)
FIQL = re.compile(r"(?P<field>[A-Za-z.]+)==(?P<value>.+)")
ROOT = "/orchestration/executables"


class Orchestration:
    """The endpoints; a lost workspace takes its names along."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        return [
            Route(f"{ROOT}/tasks", self.tasks),
            Route(f"{ROOT}/tasks/{{subject}}", self.task),
            Route(f"{ROOT}/plans", self.plans),
            Route(f"{ROOT}/plans/{{subject}}", self.plan),
            Route("/orchestration/workspaces", self.workspaces),
            Route("/orchestration/environments", self.environments),
        ]

    async def tasks(self, request: Request) -> Response:
        artifact = request.query_params.get("artifactId")
        tasks: Sequence[Task] = self._tenant.tasks
        if artifact is not None:
            tasks = [task for task in tasks if task.artifact_id == artifact]
        return _page(request, self._seen(request, tasks), rows.task_extract)

    async def task(self, request: Request) -> Response:
        task_id = checked_id(request.path_params["subject"], HEX_ID, "Task ID")
        for task in self._seen(request, self._tenant.tasks):
            if task.id == task_id:
                return JSONResponse(rows.task_definition(task))
        raise Refused(404, "Not Found")

    async def plans(self, request: Request) -> Response:
        plan_id = request.query_params.get("planId")
        task_id = request.query_params.get("taskId")
        plans = [
            plan
            for plan in self._tenant.plans
            if plan_id in {None, plan.id} and (task_id is None or _uses(plan, task_id))
        ]
        return _page(request, self._seen(request, plans), rows.plan_extract)

    async def plan(self, request: Request) -> Response:
        plan_id = checked_id(request.path_params["subject"], UUID_ID, "Plan ID")
        for plan in self._seen(request, self._tenant.plans):
            if plan.id == plan_id:
                return JSONResponse(rows.plan_definition(plan))
        raise Refused(404, "Not Found")

    async def workspaces(self, request: Request) -> Response:
        lost = self._lost(request)
        shown = [rows.workspace(each) for each in self._tenant.workspaces if each.id not in lost]
        return JSONResponse(_matching(request, shown))

    async def environments(self, request: Request) -> Response:
        shown = [rows.environment(each) for each in self._tenant.environments]
        return JSONResponse(_matching(request, shown))

    @property
    def _tenant(self) -> Tenant:
        return self._simulator.world.tenant

    def _lost(self, request: Request) -> frozenset[str]:
        return self._simulator.view(request.url.path, skew=request.scope[SKEW]).lost

    def _seen(self, request: Request, subjects: Sequence[Subject]) -> Sequence[Subject]:
        lost = self._lost(request)
        return [each for each in subjects if each.workspace.id not in lost] if lost else subjects


def _page(
    request: Request, subjects: Sequence[Subject], render: Callable[[Subject], rows.Json]
) -> Response:
    params = request.query_params
    found = _filtered(params, subjects)
    offset, limit = page_of(dict(params))
    items = [render(each) for each in found[offset : offset + limit]]
    page = {"items": items, "limit": limit, "offset": offset, "total": len(found)}
    return JSONResponse(page)


def _filtered(params: Mapping[str, str], subjects: Sequence[Subject]) -> Sequence[Subject]:
    name = params.get("name", "")
    workspace = params.get("workspaceId")
    environment = params.get("environmentId")
    for value, what in ((workspace, "Workspace ID"), (environment, "Environment ID")):
        if value is not None:
            checked_id(value, HEX_ID, what)
    if not name and workspace is None and environment is None:
        return subjects  # not even looked at: the names of a large tenant are hundreds of pages
    return [
        each
        for each in subjects
        if name in each.name
        and workspace in {None, each.workspace.id}
        and environment in {None, each.workspace.environment.id}
    ]


def _matching(request: Request, items: list[rows.Json]) -> list[rows.Json]:
    """Filter by the one form of FIQL that monitors use: field==value.

    A leading "workspace." is allowed, as in TMC's example.
    """
    wanted = request.query_params.get("query")
    if wanted is None:
        return items
    match = FIQL.fullmatch(wanted)
    if match is None:
        raise Refused(400, "Parameter 'query' is not valid.")
    path = match["field"].removeprefix("workspace.").split(".")
    return [item for item in items if _at(item, path) == match["value"]]


def _at(item: object, path: list[str]) -> object:
    for key in path:
        item = item.get(key) if isinstance(item, dict) else None
    return item


def _uses(plan: Plan, task_id: str) -> bool:
    return any(task.id == task_id for step in plan.steps for task in step.tasks)
