"""The steps of a plan execution, as TMC tells them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from tmcwatch.api.payloads import (
    Payload,
    Unreadable,
    parsed,
    parsed_list,
    plan_detail,
    rows_of,
    task_detail,
    utc,
    validated,
)
from tmcwatch.domain.execution import Kind, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step, all of it optional: one that was not reached has little more than its id."""

    id: str | None = None
    execution_id: str | None = None
    status: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDetail:
    """A step, or its error handler, with what ran in it."""

    step: Step
    tasks: tuple[Row, ...] = ()
    plans: tuple[Row, ...] = ()


class _Step(Payload):
    id: str | None = None
    execution_id: str | None = None
    execution_status: str | None = None
    start_timestamp: datetime | None = None
    finish_timestamp: datetime | None = None


class _StepDetail(_Step):
    done_task_executable_details: list[Any] = Field(default_factory=list)
    done_plan_executable_details: list[Any] = Field(default_factory=list)


def steps(body: bytes) -> tuple[Step, ...]:
    """Answer with the steps in their order; one that cannot be read keeps its place."""
    return tuple(_step_or_blank(raw) for raw in parsed_list(body))


def step_detail(body: bytes) -> StepDetail:
    found = validated(_StepDetail, parsed(body))
    tasks, _ = rows_of(Kind.TASK, found.done_task_executable_details, task_detail)
    plans, _ = rows_of(Kind.PLAN, found.done_plan_executable_details, plan_detail)
    return StepDetail(step=_step(found), tasks=tasks, plans=plans)


def _step_or_blank(raw: object) -> Step:
    try:
        return _step(validated(_Step, raw))
    except Unreadable:
        return Step()


def _step(found: _Step) -> Step:
    return Step(
        id=found.id,
        execution_id=found.execution_id,
        status=found.execution_status,
        started_at=utc(found.start_timestamp),
        ended_at=utc(found.finish_timestamp),
    )
