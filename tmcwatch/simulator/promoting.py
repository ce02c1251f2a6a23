"""TMC's promotion endpoints: a run by its id, a run to start, and the names of promotions."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tmcwatch.simulator.processing import RUNS, SKEW
from tmcwatch.simulator.promotion_rows import definition_row, run_detail
from tmcwatch.simulator.promotions import Promotion, PromotionRun
from tmcwatch.simulator.queries import HEX_ID, UUID_ID, Refused, checked_id
from tmcwatch.simulator.simulator import Simulator
from tmcwatch.simulator.world import milliseconds

ROOT = "/orchestration/executables/promotions"


class Promoting:
    """The endpoints; executions cannot be listed, as at TMC."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        return [
            Route(f"{RUNS}/promotions", self.start, methods=["POST"]),
            Route(f"{RUNS}/promotions/{{execution}}", self.run),
            Route(ROOT, self.definitions),
            Route(f"{ROOT}/{{promotion}}", self.definition),
        ]

    async def run(self, request: Request) -> Response:
        what = "Promotion execution ID"
        execution_id = checked_id(request.path_params["execution"], UUID_ID, what)
        world = self._simulator.world
        now = milliseconds(world.now)
        run = world.promotions.run(execution_id, now=now)
        unborn = self._simulator.faults.strike("not_known_yet", request.url.path)
        too_young = run and unborn and now - run.triggered < unborn.number("seconds") * 1000
        if run is None or too_young:
            raise Refused(404, "Not Found")
        return JSONResponse(self._detail(run, request))

    async def start(self, request: Request) -> Response:
        """Start a run that lasts half a minute and ends well; the control port can do more."""
        asked = _object(await request.body())
        promotion = self._known(str(asked.get("executable", "")))
        world = self._simulator.world
        execution_id = world.start_promotion(promotion.id)
        if self._simulator.dialect.promotion_answer == "accepted":
            return Response(status_code=202)
        run = world.promotions.run(execution_id, now=milliseconds(world.now))
        assert run is not None  # noqa: S101 - it has just begun
        report = self._detail(run, request)
        return JSONResponse({"executionId": execution_id, "executionReport": report}, 201)

    async def definitions(self, _request: Request) -> Response:
        known = self._simulator.world.promotions.definitions
        return JSONResponse([definition_row(each) for each in known])

    async def definition(self, request: Request) -> Response:
        promotion = self._known(request.path_params["promotion"])
        return JSONResponse(definition_row(promotion) | {"description": ""})

    def _known(self, wanted: str) -> Promotion:
        promotion_id = checked_id(wanted, HEX_ID, "Promotion ID")
        found = self._simulator.world.promotions.definition(promotion_id)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def _detail(self, run: PromotionRun, request: Request) -> dict[str, object]:
        return run_detail(run, self._simulator.view(request.url.path, skew=request.scope[SKEW]))


def _object(body: bytes) -> dict[str, object]:
    try:
        asked = json.loads(body or b"{}")
    except ValueError as error:
        raise Refused(400, "The body is not valid JSON.") from error
    if not isinstance(asked, dict):
        raise Refused(400, "The body is not an object.")
    return asked
