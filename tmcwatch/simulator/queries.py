"""What a list was asked for, checked against TMC's limits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from tmcwatch.simulator.execution import PLAN_STATUS, TASK_STATUS
from tmcwatch.simulator.index import Order

HEX_ID = re.compile(r"[0-9a-f]{24}")
UUID_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MAX_LIMIT = 100
DAY = 86_400_000


class Refused(Exception):
    """TMC would answer with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How this TMC answers where its texts differ or are silent.

    `max_offset=None` is unbounded. `errors_in_lists` puts the error text into the list rows.
    `order` is that of the lists: by trigger time or by execution id.
    `promotion_answer` is what starting a promotion answers with: `report` (201 with its id) or
    `accepted` (202 with nothing). `audit_entries` is how the audit log writes a promotion run:
    `documented`, `shouting` (other case, times without a zone), `nested` (the body as an object,
    the id inside a report) or `bare` (no body).
    """

    max_window: timedelta = timedelta(days=10)
    default_window: timedelta = timedelta(days=7)
    max_offset: int | None = 1000
    errors_in_lists: bool = False
    order: Order = "newest"
    promotion_answer: str = "report"
    audit_entries: str = "documented"


OLD_DIALECT = Dialect(
    max_window=timedelta(days=60), default_window=timedelta(days=60), max_offset=None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A list request; the window in TMC's epoch milliseconds, both ends included."""

    earliest: int
    latest: int
    limit: int
    offset: int
    status: str | None
    environment_id: str | None
    workspace_id: str | None
    tags: frozenset[str]


def task_query(params: Mapping[str, object], dialect: Dialect, *, now: int) -> Query:
    """Read a task list request; without a window it reaches back over the default one."""
    day = timedelta(days=1)
    last_days = _integer(params, "lastDays", 1, dialect.max_window // day)
    earliest = _integer(params, "from", 0)
    latest = _integer(params, "to", 0)
    end = now if latest is None else latest
    default = dialect.default_window // timedelta(milliseconds=1)
    if earliest is None:
        plain = latest is None and last_days is not None
        earliest = now - last_days * DAY if plain and last_days else end - default
    elif end - earliest > dialect.max_window // timedelta(milliseconds=1):
        longest = dialect.max_window // day
        raise Refused(400, f"The range between 'from' and 'to' exceeds {longest} days.")
    return _query(params, (earliest, end), TASK_STATUS, max_offset=dialect.max_offset)


def plan_query(params: Mapping[str, object], *, now: int) -> Query:
    """Read a plan list request; no bounds of its window are documented."""
    last_days = _integer(params, "lastDays", 1)
    earliest = _integer(params, "from", 0)
    latest = _integer(params, "to", 0)
    if earliest is None:
        earliest = now - last_days * DAY if last_days else 0
    window = (earliest, now if latest is None else latest)
    return _query(params, window, PLAN_STATUS, max_offset=None)


def page_of(params: Mapping[str, object], *, max_offset: int | None = None) -> tuple[int, int]:
    """Read offset and limit."""
    limit = _integer(params, "limit", 1, MAX_LIMIT)
    offset = _integer(params, "offset", 0, max_offset)
    return offset or 0, MAX_LIMIT if limit is None else limit


def checked_id(value: str, pattern: re.Pattern[str], what: str) -> str:
    if not pattern.fullmatch(value):
        raise Refused(400, f"{what} is not valid id.")
    return value


def text_of(params: Mapping[str, object], name: str) -> str | None:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise _not_valid(name)
    return value


def _query(
    params: Mapping[str, object],
    window: tuple[int, int],
    statuses: Mapping[str, str],
    *,
    max_offset: int | None,
) -> Query:
    earliest, latest = window
    if earliest > latest:
        raise Refused(400, "Parameter 'from' is after 'to'.")
    status = text_of(params, "status")
    if status is not None and status not in statuses.values():
        raise _not_valid("status")
    environment_id = text_of(params, "environmentId")
    workspace_id = text_of(params, "workspaceId")
    offset, limit = page_of(params, max_offset=max_offset)
    return Query(
        earliest=earliest,
        latest=latest,
        limit=limit,
        offset=offset,
        status=status,
        environment_id=environment_id and checked_id(environment_id, HEX_ID, "Environment ID"),
        workspace_id=workspace_id and checked_id(workspace_id, HEX_ID, "Workspace ID"),
        tags=_tags(params),
    )


def _tags(params: Mapping[str, object]) -> frozenset[str]:
    tags = params.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise _not_valid("tags")
    return frozenset(tags)


def _integer(
    params: Mapping[str, object], name: str, low: int, high: int | None = None
) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        value = int(value)
    if type(value) is not int or value < low or (high is not None and value > high):
        raise _not_valid(name)
    return value


def _not_valid(name: str) -> Refused:
    return Refused(400, f"Parameter '{name}' is not valid.")
