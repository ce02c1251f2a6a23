"""TMC's JSON and its meaning in our words: lenient, and one row at a time."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from tmcwatch.domain.execution import (
    BadRow,
    ExecutionId,
    Kind,
    Page,
    Phase,
    Row,
    SubjectId,
    trigger_named,
)
from tmcwatch.domain.lifecycle import plan_phase, task_phase

LONGEST_ERROR = 4_000
LONGEST_BAD_ROW = 2_000
LONGEST_PROBLEM = 200

# Only these escapes can smuggle in what a database or a terminal refuses.
_UNSAFE_ESCAPES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_MOST_ROWS = 2**63 - 1  # what a database can count


class Unreadable(ValueError):
    """An answer, or a row of it, that makes no sense."""


class Payload(BaseModel):
    """What all objects of TMC's have in common: camel case, and nothing to rely on."""

    model_config = ConfigDict(alias_generator=to_camel, coerce_numbers_to_str=True, extra="ignore")


Id = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0, le=_MOST_ROWS)]
_Model = TypeVar("_Model", bound=Payload)


class _Run(Payload):
    execution_id: Id
    status: str | None = None
    execution_status: str | None = None
    execution_type: str | None = None
    trigger_timestamp: datetime | None = None
    start_timestamp: datetime | None = None
    finish_timestamp: datetime | None = None
    misfired_execution_reason: str | None = None
    error_message: str | None = None
    plan_id: str | None = None


class _Runtime(Payload):
    type: str | None = None
    id: str | None = None
    engine_id: str | None = None
    cluster_id: str | None = None


class _TaskRow(_Run):
    task_id: str | None = None
    runtime: _Runtime | None = None


class _TaskDetail(_Run):
    job_id: str | None = None
    workspace_id: str | None = None
    remote_engine_id: str | None = None
    remote_engine_cluster_id: str | None = None
    execution_destination: str | None = None
    number_of_processed_rows: Count | None = None
    number_of_rejected_rows: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPage:
    """One page of any list, before its rows are looked at."""

    items: list[Any]
    total: int | None


def parsed(body: bytes) -> Any:  # noqa: ANN401 - JSON is anything until it is validated
    """Answer with the value of a JSON text whose strings are safe to keep; else Unreadable."""
    try:
        value = _any_json(body)
        return _safe(value) if _UNSAFE_ESCAPES.search(body) else value
    except (ValueError, RecursionError) as error:
        page = " but an HTML page" if body.lstrip().startswith(b"<") else ""
        raise Unreadable(f"the answer is not JSON{page} ({len(body)} bytes)") from error


def parsed_list(body: bytes) -> list[Any]:
    value = parsed(body)
    if not isinstance(value, list):
        raise Unreadable("the answer is not a list")
    return value


def raw_page(body: bytes) -> RawPage:
    """Answer with the rows of a page and its total; a page without a list proves nothing."""
    value = parsed(body)
    if not isinstance(value, dict):
        raise Unreadable("the answer is not a page")
    total = value.get("total")
    count = total if type(total) is int and total >= 0 else None
    items = value.get("items")
    if items is None and count == 0:
        items = []
    if not isinstance(items, list):
        raise Unreadable("the page has no list of items")
    return RawPage(items=items, total=count)


def task_page(body: bytes) -> Page:
    return _page(body, Kind.TASK, task_row)


def plan_page(body: bytes) -> Page:
    return _page(body, Kind.PLAN, plan_row)


def task_row(raw: object) -> Row:
    """Answer with what a row of a list says of a task execution."""
    run = validated(_TaskRow, raw)
    where = run.runtime or _Runtime()
    return _task(
        run,
        subject=run.task_id,
        engine=where.engine_id or where.id or where.cluster_id or where.type,
    )


def task_detail(raw: object) -> Row:
    """Answer with what the detail, which has other names for things, says of a task execution."""
    run = validated(_TaskDetail, raw)
    engine = run.remote_engine_id or run.remote_engine_cluster_id or run.execution_destination
    return replace(
        _task(run, subject=run.job_id, engine=engine),
        workspace=run.workspace_id,
        rows_processed=run.number_of_processed_rows,
        rows_rejected=run.number_of_rejected_rows,
        detailed=True,
    )


def plan_row(raw: object, *, detailed: bool = False) -> Row:
    """Answer with what a row, or the detail, says of a plan execution."""
    run = validated(_Run, raw)
    phase = plan_phase(run.status, run.execution_status)
    # The start is the trigger's time; what still waits or misfired has not begun.
    began = phase not in {Phase.WAITING, Phase.MISFIRED}
    start = utc(run.start_timestamp)
    return Row(
        kind=Kind.PLAN,
        id=ExecutionId(run.execution_id),
        subject=SubjectId(run.plan_id) if run.plan_id else None,
        phase=phase,
        status=_words(run),
        trigger=trigger_named(run.execution_type),
        triggered_at=_triggered_at(run, start),
        started_at=start if began else None,
        ended_at=utc(run.finish_timestamp),
        reason=run.misfired_execution_reason,
        error=cut_error(run.error_message),
        detailed=detailed,
    )


def plan_detail(raw: object) -> Row:
    return plan_row(raw, detailed=True)


def rows_of(
    kind: Kind, raws: Iterable[object], row: Callable[[object], Row]
) -> tuple[tuple[Row, ...], tuple[BadRow, ...]]:
    """Read what can be read; a bad row never costs its neighbours."""
    rows: list[Row] = []
    bad: list[BadRow] = []
    for raw in raws:
        try:
            rows.append(row(raw))
        except Unreadable as problem:
            bad.append(bad_row(kind, raw, problem))
    return tuple(rows), tuple(bad)


def bad_row(kind: Kind, raw: object, problem: Unreadable) -> BadRow:
    identity = raw.get("executionId") if isinstance(raw, dict) else None
    return BadRow(
        kind=kind,
        id=ExecutionId(identity) if isinstance(identity, str) and identity else None,
        problem=str(problem),
        text=json.dumps(raw, ensure_ascii=False)[:LONGEST_BAD_ROW],
    )


def validated(model: type[_Model], raw: object) -> _Model:
    """Answer with the object, less what is wrong with it; Unreadable if too much is."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        wrong = {problem["loc"][0] for problem in _problems(error) if problem["loc"]}
    if not isinstance(raw, Mapping):
        raise Unreadable("not an object")
    try:
        return model.model_validate({k: v for k, v in raw.items() if k not in wrong})
    except ValidationError as error:
        problem = _problems(error)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise Unreadable(f"{place}: {problem['msg']}"[:LONGEST_PROBLEM]) from None


def utc(moment: datetime | None) -> datetime | None:
    """Answer with the moment in UTC, which a time without a zone is taken for."""
    if moment is None:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise Unreadable("a time is out of range") from error


def cut_error(text: str | None) -> str | None:
    return text[:LONGEST_ERROR] if text else None


def _page(body: bytes, kind: Kind, row: Callable[[object], Row]) -> Page:
    raw = raw_page(body)
    rows, bad = rows_of(kind, raw.items, row)
    return Page(rows=rows, bad=bad, total=raw.total, size=len(raw.items))


def _task(run: _Run, *, subject: str | None, engine: str | None) -> Row:
    started_at, reason = utc(run.start_timestamp), run.misfired_execution_reason
    started = started_at is not None
    return Row(
        kind=Kind.TASK,
        id=ExecutionId(run.execution_id),
        subject=SubjectId(subject) if subject else None,
        phase=task_phase(run.status, run.execution_status, reason=reason, started=started),
        status=_words(run),
        trigger=trigger_named(run.execution_type),
        triggered_at=_triggered_at(run, started_at),
        started_at=started_at,
        ended_at=utc(run.finish_timestamp),
        reason=reason,
        error=cut_error(run.error_message),
        engine=engine,
        plan=run.plan_id,
    )


def _triggered_at(run: _Run, started_at: datetime | None) -> datetime:
    moment = utc(run.trigger_timestamp) or started_at or utc(run.finish_timestamp)
    if moment is None:
        raise Unreadable("the row has no time at all")
    return moment


def _words(run: _Run) -> str:
    return f"{run.status or '?'}/{run.execution_status or '?'}"


def _problems(error: ValidationError) -> list[Any]:
    # Without the input: a problem is shown and logged, and nobody knows what a row may hold.
    return error.errors(include_url=False, include_context=False, include_input=False)


def _any_json(body: bytes) -> Any:  # noqa: ANN401
    try:
        return from_json(body)
    except ValueError:
        # The quick parser refuses lone surrogates and broken UTF-8, which can be lived with.
        return json.loads(body.decode("utf-8-sig", "replace"))


def _safe(value: Any) -> Any:  # noqa: ANN401
    """Answer with the value without lone surrogates and NULs in its strings."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "�")
    if isinstance(value, list):
        return [_safe(item) for item in value]
    if isinstance(value, dict):
        return {_safe(key): _safe(item) for key, item in value.items()}
    return value
