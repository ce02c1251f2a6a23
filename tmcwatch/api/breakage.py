"""Where a plan execution broke: asked of its steps, when it has turned bad."""

from collections.abc import Sequence
from typing import Protocol

from tmcwatch.api.errors import NotFound
from tmcwatch.api.steps import Step, StepDetail
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import BAD_ENDS, Breakage, ExecutionId

_BAD_WORDS = ("FAIL", "REJECT", "TERMINAT", "MISFIRE")
_GOOD_WORDS = ("SUCCESS", "FINISHED", "PROCEED")


class AsksSteps(Protocol):
    """The three questions it takes."""

    async def plan_steps(
        self, execution_id: ExecutionId, *, purpose: Purpose
    ) -> tuple[Step, ...]: ...

    async def plan_step(
        self, execution_id: ExecutionId, step_execution_id: str, *, purpose: Purpose
    ) -> StepDetail: ...

    async def plan_error_handler(
        self, execution_id: ExecutionId, step_execution_id: str, *, purpose: Purpose
    ) -> StepDetail: ...


def failing_step(steps: Sequence[Step]) -> int | None:
    """Answer with the index of the step that broke its plan, None if no step did.

    The statuses of steps are not published: one that says so comes first, then the first that
    ended in words never seen before.
    """
    bad = (index for index, step in enumerate(steps) if _says(step, _BAD_WORDS))
    odd = (
        index
        for index, step in enumerate(steps)
        if step.status and step.ended_at and not _says(step, _GOOD_WORDS)
    )
    return next(bad, next(odd, None))


async def breakage_of(
    client: AsksSteps, execution_id: ExecutionId, *, purpose: Purpose
) -> Breakage | None:
    """Ask where a plan execution broke; None where TMC has no step to blame."""
    try:
        steps = await client.plan_steps(execution_id, purpose=purpose)
    except NotFound:
        return None
    index = failing_step(steps)
    if index is None:
        return None
    place = f"step {index + 1} of {len(steps)}"
    step_execution_id = steps[index].execution_id
    if step_execution_id is None:
        return Breakage(step=place)
    detail = await _detail(client, execution_id, step_execution_id, purpose=purpose)
    failed = [task for task in detail.tasks if task.phase in BAD_ENDS]
    return Breakage(
        step=place,
        tasks=tuple(task.subject for task in failed if task.subject is not None),
        error=next((task.error for task in failed if task.error), None),
        handled=await _is_handled(client, execution_id, step_execution_id, purpose=purpose),
    )


async def _detail(
    client: AsksSteps, execution_id: ExecutionId, step_execution_id: str, *, purpose: Purpose
) -> StepDetail:
    try:
        return await client.plan_step(execution_id, step_execution_id, purpose=purpose)
    except NotFound:
        return StepDetail(step=Step())


async def _is_handled(
    client: AsksSteps, execution_id: ExecutionId, step_execution_id: str, *, purpose: Purpose
) -> bool:
    """Ask whether the step's error handler ran; most steps have none."""
    try:
        handler = await client.plan_error_handler(execution_id, step_execution_id, purpose=purpose)
    except NotFound:
        return False
    return handler.step.started_at is not None


def _says(step: Step, words: Sequence[str]) -> bool:
    return any(word in (step.status or "").upper() for word in words)
