"""The control port: the truth, the journal, the faults and the staging of runs, over HTTP."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tmcwatch.simulator.faults import BadOption, UnknownFault
from tmcwatch.simulator.simulator import Simulator
from tmcwatch.simulator.world import UnknownSubject

HELP = """The control port of the TMC simulator.

GET    /world                what there is, and the simulated time
GET    /transitions?since=   what truly happened (ISO 8601)
GET    /requests?since=      what was asked
GET    /faults               the faults in force
PUT    /faults/{name}        put one in force; options as JSON: on, times, share, ...
DELETE /faults/{name}        take it away
POST   /task-runs            {"task_id", "in_seconds", "lasts_seconds", "ends", "error", "reason"}
POST   /plan-runs            {"plan_id", "in_seconds", "fails_at_step", "step_lasts_seconds"}
POST   /executions/{id}/finish    end an open task run now: {"ends", "error", "reason"}
POST   /executions/{id}/correct   give a run another end: {"ends", "finished", "error", "reason"}
POST   /executions/{id}/hide      leave it out of lists: {"until"} or {"for_seconds"}
POST   /executions/{id}/delay     not to be had until then: {"until"} or {"for_seconds"}
POST   /promotion-runs       {"promotion_id", "in_seconds", "lasts_seconds", "ends", "broken"}
"""
TASK_RUN_FIELDS = frozenset({"task_id", "ends", "error", "reason", "execution_id"})
PROMOTION_RUN_FIELDS = frozenset({"promotion_id", "ends", "error", "execution_id"})
PLAN_RUN_FIELDS = frozenset({"plan_id", "fails_at_step", "error", "reason", "execution_id"})
END_FIELDS = frozenset({"ends", "error", "reason"})
# What JSON calls a moment, and the argument that it becomes.
AT = {"at": "at", "in_seconds": "at"}
UNTIL = {"until": "until", "for_seconds": "until"}


def control_app(simulator: Simulator) -> ASGIApp:
    """Make the control port as an ASGI application."""
    control = _Control(simulator)

    async def refused(_request: Request, error: Exception) -> Response:
        status = 404 if isinstance(error, UnknownFault | UnknownSubject) else 400
        return JSONResponse({"status": status, "message": str(error)}, status)

    return Starlette(
        routes=[
            Route("/", control.help),
            Route("/world", control.world),
            Route("/transitions", control.transitions),
            Route("/requests", control.requests),
            Route("/faults", control.faults),
            Route("/faults/{name}", control.put_fault, methods=["PUT"]),
            Route("/faults/{name}", control.delete_fault, methods=["DELETE"]),
            Route("/task-runs", control.start_task_run, methods=["POST"]),
            Route("/plan-runs", control.start_plan_run, methods=["POST"]),
            Route("/executions/{execution}/{what}", control.change, methods=["POST"]),
            Route("/promotion-runs", control.start_promotion, methods=["POST"]),
        ],
        exception_handlers=dict.fromkeys(
            (UnknownFault, UnknownSubject, BadOption, ValueError, OverflowError), refused
        ),
    )


class _Control:
    """The endpoints."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def help(self, _request: Request) -> Response:
        return PlainTextResponse(HELP)

    async def world(self, _request: Request) -> Response:
        world = self._simulator.world
        return JSONResponse(
            {
                "scenario": world.scenario.name,
                "window": self._simulator.window,
                "start": world.start.isoformat(),
                "now": world.now.isoformat(),
                "environments": len(world.tenant.environments),
                "workspaces": len(world.tenant.workspaces),
                "tasks": {task.name: task.id for task in world.tenant.tasks},
                "plans": {plan.name: plan.id for plan in world.tenant.plans},
                "promotions": {each.name: each.id for each in world.promotions.definitions},
                "task_executions": len(world.tasks),
                "plan_executions": len(world.plans),
                "open_task_executions": world.open_count(),
                "requests": self._simulator.journal.total,
                "requests_by_status": dict(self._simulator.journal.by_status),
            }
        )

    async def transitions(self, request: Request) -> Response:
        found = self._simulator.world.truth(_since(request))
        return JSONResponse([each | {"at": each["at"].isoformat()} for each in found])

    async def requests(self, request: Request) -> Response:
        found = self._simulator.journal.since(_since(request))
        return JSONResponse([each.as_json() for each in found])

    async def faults(self, _request: Request) -> Response:
        in_force = self._simulator.faults.in_force()
        return JSONResponse({name: fault.as_json() for name, fault in in_force.items()})

    async def put_fault(self, request: Request) -> Response:
        fault = self._simulator.faults.put(request.path_params["name"], **await _body(request))
        return JSONResponse(fault.as_json())

    async def delete_fault(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not self._simulator.faults.remove(name):
            raise UnknownFault(f"{name!r} is not in force")
        return Response(status_code=204)

    async def start_task_run(self, request: Request) -> Response:
        world = self._simulator.world
        body = await _body(request)
        spans = {"lasts_seconds": "lasts", "dispatch_seconds": "dispatch"}
        options = _options(body, TASK_RUN_FIELDS, spans, AT, now=world.now)
        execution_id = world.start_task_run(str(options.pop("task_id", "")), **options)
        return JSONResponse({"executionId": execution_id}, 201)

    async def start_plan_run(self, request: Request) -> Response:
        world = self._simulator.world
        body = await _body(request)
        spans = {"step_lasts_seconds": "step_lasts"}
        options = _options(body, PLAN_RUN_FIELDS, spans, AT, now=world.now)
        execution_id = world.start_plan_run(str(options.pop("plan_id", "")), **options)
        return JSONResponse({"executionId": execution_id}, 201)

    async def change(self, request: Request) -> Response:
        world, what = self._simulator.world, request.path_params["what"]
        changes: dict[str, tuple[Callable[..., None], frozenset[str], Mapping[str, str]]] = {
            "finish": (world.finish, END_FIELDS, {}),
            "correct": (world.correct, END_FIELDS, {"finished": "finished"}),
            "hide": (world.hide, frozenset(), UNTIL),
            "delay": (world.delay, frozenset(), UNTIL),
        }
        if what not in changes:
            raise UnknownSubject(f"an execution cannot {what}; it can {', '.join(changes)}")
        act, fields, moments = changes[what]
        options = _options(await _body(request), fields, {}, moments, now=world.now)
        needed = {"correct": "ends", "delay": "until"}.get(what)
        if needed is not None and needed not in options:
            raise ValueError(f"{what} needs {needed!r}")
        act(request.path_params["execution"], **options)
        return Response(status_code=204)

    async def start_promotion(self, request: Request) -> Response:
        world = self._simulator.world
        body = await _body(request)
        broken, defective = body.pop("broken", []), body.pop("defective", False)
        if not isinstance(broken, list) or not isinstance(defective, bool):
            raise ValueError("broken is a list of names, defective is true or false")  # noqa: TRY004 - becomes a 400
        options = _options(
            body, PROMOTION_RUN_FIELDS, {"lasts_seconds": "lasts"}, AT, now=world.now
        )
        execution_id = world.start_promotion(
            str(options.pop("promotion_id", "")),
            broken=[str(name) for name in broken],
            defective=defective,
            **options,
        )
        return JSONResponse({"executionId": execution_id}, 201)


def _options(
    body: Mapping[str, Any],
    fields: frozenset[str],
    spans: Mapping[str, str],
    moments: Mapping[str, str],
    *,
    now: datetime,
) -> dict[str, Any]:
    """Turn JSON into the arguments of the scripting API: moments, spans and fields.

    A moment is a time, or so many seconds from now where its name says seconds.
    """
    options: dict[str, Any] = {}
    for name, value in body.items():
        match name:
            case _ if name in moments:
                from_now = name.endswith("_seconds")
                options[moments[name]] = now + _span(name, value) if from_now else _moment(value)
            case _ if name in spans:
                options[spans[name]] = _span(name, value)
            case _ if name in fields:
                options[name] = _field(name, value)
            case _:
                raise ValueError(f"unknown field {name!r}")
    return options


def _since(request: Request) -> datetime | None:
    # A "+" of the offset that was not escaped arrives as a space.
    value = request.query_params.get("since", "").replace(" ", "+")
    return _moment(value) if value else None


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return moment


def _field(name: str, value: object) -> object:
    wanted = int if name == "fails_at_step" else str
    if value is not None and type(value) is not wanted:
        raise ValueError(f"{name} is not a {'number' if wanted is int else 'text'}")
    return value


def _span(name: str, value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is not a number")  # noqa: TRY004 - becomes a 400
    return timedelta(seconds=value)


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    body = await request.json() if raw else {}
    if not isinstance(body, dict):
        raise ValueError("the body is not an object")  # noqa: TRY004 - becomes a 400
    return body
