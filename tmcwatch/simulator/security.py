"""TMC's Security API: tokens of service accounts, and the audit log with its promotion runs."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tmcwatch.simulator.processing import RUNS, SKEW
from tmcwatch.simulator.promotions import PromotionRun
from tmcwatch.simulator.queries import UUID_ID, Refused, checked_id
from tmcwatch.simulator.rows import stamp
from tmcwatch.simulator.simulator import Simulator
from tmcwatch.simulator.tokens import SAID_TO_LAST
from tmcwatch.simulator.world import World, milliseconds

MOST = 1000
USUAL = 100
OAUTH = "/security/oauth/token"
HOST = "https://api.eu.cloud.talend.com"
WHO = {
    "applicationId": "TMC",
    "clientIp": "192.0.2.10",
    "userId": "00000000-0000-4000-8000-000000003003",
    "username": "op.one@example.com",
    "email": "op.one@example.com",
}
Entry = dict[str, Any]


class Security:
    """Both endpoints. Every promotion run leaves an entry, and so does the analysis before it."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        return [
            Route("/security/audit/logs", self.audit_logs),
            Route(OAUTH, self.token, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        """Give a token; who asks has shown the id and the secret at the door."""
        try:
            asked = await request.json()
        except ValueError as error:
            raise Refused(400, "Bad Request") from error
        if not isinstance(asked, dict) or asked.get("grant_type") != "client_credentials":
            raise Refused(400, "Bad Request: grant_type")
        # Some of TMC's examples have a slash at the end.
        here = str(request.base_url).rstrip("/")
        if str(asked.get("audience")).removesuffix("/") not in {HOST, here}:
            raise Refused(400, "Bad Request: audience")
        token = self._simulator.tokens.give(self._simulator.time())
        told = {"access_token": token, "token_type": "Bearer", "expires_in": SAID_TO_LAST}
        return JSONResponse(told)

    async def audit_logs(self, request: Request) -> Response:
        world = self._simulator.world
        skew = timedelta(milliseconds=request.scope[SKEW])
        page, size = _number(request, "page", 1, None), _number(request, "size", USUAL, MOST)
        found = [
            entry
            for at, entry in _entries(world, self._simulator.dialect.audit_entries, skew)
            if _is_asked_for(request, at, now=world.now + skew)
        ]
        if (first := request.query_params.get("fromId")) and not _dates(request):
            found = _since(found, checked_id(first, UUID_ID, "Log ID"))
        pages = max(-(-len(found) // size), 1)
        shown = found[(page - 1) * size : page * size]
        headers = {
            "page-first": str(page == 1).lower(),
            "page-last": str(page >= pages).lower(),
            "page-number": str(page),
            "total-pages": str(pages),
            "page-total-elements": str(len(shown)),
            "total-elements": str(len(found)),
        }
        return JSONResponse(shown, headers=headers)


def _entries(world: World, shape: str, skew: timedelta) -> Iterator[tuple[datetime, Entry]]:
    """Give all entries, newest first, each with TMC's time of it."""
    now = milliseconds(world.now)
    runs = sorted(world.promotions.begun(now), key=lambda run: (run.triggered, run.number))
    for run in reversed(runs):
        at = run.triggered + skew // timedelta(milliseconds=1)
        yield _moment(at), _shaped(_run_entry(run, at), shape)
        yield _moment(at - 1000), _analysis_entry(run, at - 1000)


def _run_entry(run: PromotionRun, at: int) -> Entry:
    return {
        "timestamp": stamp(at),
        "logId": f"00000000-0000-4000-8000-{run.number:012x}",
        "requestId": f"00000000-0000-4000-9000-{run.number:012x}",
        **WHO,
        "eventType": "environment management",
        "eventCategory": "promotion",
        "eventOperation": "run",
        "request": {
            "url": f"{HOST}{RUNS}/promotions",
            "method": "POST",
            "userAgent": "ci/1.0",
            "body": json.dumps({"executable": run.promotion.id}),
        },
        "response": {"code": "201", "body": json.dumps({"executionId": run.execution_id})},
    }


def _analysis_entry(run: PromotionRun, at: int) -> Entry:
    promotion = run.promotion.id
    entry = _run_entry(run, at) | {"eventOperation": "analyze"}
    return entry | {
        "logId": f"00000000-0000-4000-b000-{run.number:012x}",
        "request": {"url": f"{HOST}/orchestration/executables/promotions/{promotion}"},
        "response": {"code": "200", "body": ""},
    }


def _shaped(entry: Entry, shape: str) -> Entry:
    """Write an entry as it might come, since no official text shows one of a promotion run."""
    match shape:
        case "shouting":
            loud = {name: each.upper() for name, each in entry.items() if name[:5] == "event"}
            # The help page shows times without a zone.
            entry = entry | loud | {"timestamp": entry["timestamp"].removesuffix("Z")}
            return {name[0].upper() + name[1:]: each for name, each in entry.items()}
        case "nested":
            report = json.loads(entry["response"]["body"])
            return entry | {"response": {"code": 201, "body": {"executionReport": report}}}
        case "bare":
            return {name: each for name, each in entry.items() if name != "response"}
        case _:
            return entry


def _is_asked_for(request: Request, at: datetime, *, now: datetime) -> bool:
    dates = _dates(request)
    earliest, latest = dates.get("fromDate"), min(dates.get("toDate", now), now)
    if earliest is not None and earliest > latest:
        raise Refused(400, "Bad Request")
    return (earliest is None or earliest <= at) and at <= latest


def _dates(request: Request) -> dict[str, datetime]:
    found = {}
    for name in ("fromDate", "toDate"):
        value = request.query_params.get(name)
        if value is None:
            continue
        try:
            moment = datetime.fromisoformat(value.replace(" ", "+"))
        except ValueError as error:
            raise Refused(400, "Bad Request") from error
        found[name] = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return found


def _since(entries: list[Entry], log_id: str) -> list[Entry]:
    ids = [entry.get("logId", entry.get("LogId")) for entry in entries]
    return entries[: ids.index(log_id) + 1] if log_id in ids else []


def _number(request: Request, name: str, default: int, most: int | None) -> int:
    value = request.query_params.get(name, str(default))
    if not re.fullmatch(r"\d{1,9}", value) or int(value) < 1 or (most and int(value) > most):
        raise Refused(400, f"Parameter '{name}' is not valid.")
    return int(value)


def _moment(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
