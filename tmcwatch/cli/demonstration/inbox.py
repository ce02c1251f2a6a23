"""The inbox of someone who is told: takes the daemon's webhooks, and keeps them as words."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

KEPT = 200
MOST_LISTED = 5
_OVER = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One message as a person reads it."""

    at: datetime
    title: str
    lines: tuple[str, ...]
    is_over: bool


class Inbox:
    """What arrived; a message that comes again, under the same key, counts once."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._keys: set[str] = set()
        self._told: deque[Told] = deque(maxlen=KEPT)

    @property
    def total(self) -> int:
        return len(self._keys)

    @property
    def told(self) -> tuple[Told, ...]:
        """The newest messages, oldest first."""
        return tuple(self._told)

    def app(self) -> ASGIApp:
        return Starlette(routes=[Route("/", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        payload = await request.json()
        key = request.headers.get("idempotency-key", "")
        if key not in self._keys:
            self._keys.add(key)
            self._told.append(told_by(payload, at=self._now()))
        return Response(status_code=200)


def told_by(payload: Mapping[str, Any], *, at: datetime) -> Told:
    alerts = payload["alerts"]
    more = len(alerts) - MOST_LISTED
    lines = [line for alert in alerts[:MOST_LISTED] for line in _lines(alert)]
    return Told(
        at=at,
        title=payload["tmcwatch"]["title"],
        lines=(*lines, f"and {more} more") if more > 0 else tuple(lines),
        is_over=payload["status"] == _OVER,
    )


def _lines(alert: Mapping[str, Any]) -> Iterator[str]:
    notes = alert["annotations"]
    over = "over: " if alert["status"] == _OVER else ""
    yield over + (notes.get("summary") or alert["labels"].get("name") or alert["labels"]["rule"])
    why = (notes.get("step"), notes.get("error") or notes.get("reason"))
    if not over and any(why):
        yield ": ".join(part for part in why if part)
