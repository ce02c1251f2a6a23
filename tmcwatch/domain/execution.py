"""Executions: one run of a task, plan or promotion, as TMC tells it and as we believe it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

AccountName = NewType("AccountName", str)
ExecutionId = NewType("ExecutionId", str)
SubjectId = NewType("SubjectId", str)
"""Id of the task, plan or promotion that runs."""


class Kind(StrEnum):
    """What kind of thing runs."""

    TASK = "task"
    PLAN = "plan"
    PROMOTION = "promotion"


class Phase(StrEnum):
    """Where an execution is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    FAILED = "failed"
    DEPLOY_FAILED = "deploy_failed"
    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"
    SHUT_DOWN = "shut_down"
    MISFIRED = "misfired"
    DEFECTIVE = "defective"
    """A promotion that was made, with defects."""
    ANALYSED = "analysed"
    """A promotion that was only tried out: neither good nor bad."""
    UNRECOGNISED = "unrecognised"


OPEN = frozenset({Phase.WAITING, Phase.RUNNING, Phase.STOPPING, Phase.UNRECOGNISED})
"""Phases in which an execution is followed further; `unrecognised` is never taken for an end."""

ENDS = frozenset(Phase) - OPEN

BAD_ENDS = ENDS - {Phase.SUCCEEDED, Phase.ANALYSED}

FAILURES = frozenset({Phase.FAILED, Phase.DEPLOY_FAILED, Phase.TIMED_OUT, Phase.MISFIRED})
"""Ends that count as a failure in a row. A stop by a person or a shutdown says nothing about the
task, and a run with rejected rows did run to its end."""

_OF_PROMOTIONS = frozenset({Phase.DEFECTIVE, Phase.ANALYSED})
_PROMOTION_ENDS = _OF_PROMOTIONS | {Phase.SUCCEEDED, Phase.REJECTED, Phase.FAILED}


def ends_of(kind: Kind) -> frozenset[Phase]:
    """Answer with the ends that an execution of this kind can have."""
    return _PROMOTION_ENDS if kind is Kind.PROMOTION else ENDS - _OF_PROMOTIONS


class Trigger(StrEnum):
    """What started an execution."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    WEBHOOK = "webhook"
    PLAN = "plan"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """Where a plan execution broke: the failing step and what ran in it."""

    step: str
    """The step as a person counts it, such as `step 2 of 3`."""
    tasks: tuple[SubjectId, ...] = ()
    error: str | None = None
    handled: bool = False
    """Whether the step's error handler ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one row of a list, or one detail, says of one execution. Times are TMC's, in UTC.

    `subject` is None only where TMC left it out. `detailed` tells a detail from a list row: the
    latter has no error text, workspace or row counts to believe in.
    """

    kind: Kind
    id: ExecutionId
    subject: SubjectId | None
    phase: Phase
    status: str
    """TMC's own words, `status/executionStatus`."""
    trigger: Trigger
    triggered_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    error: str | None = None
    engine: str | None = None
    plan: str | None = None
    """Of a task run inside a plan: the plan's id (list) or the plan execution's id (detail)."""
    workspace: str | None = None
    rows_processed: int | None = None
    rows_rejected: int | None = None
    breakage: Breakage | None = None
    detailed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that could not be read: kept for a person to look at, without costing its page."""

    kind: Kind
    id: ExecutionId | None
    problem: str
    text: str
    """The row as TMC sent it, cut to 2,000 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list.

    `total` is None where TMC left it out. `size` counts the rows TMC sent, bad ones included.
    """

    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...] = ()
    total: int | None
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What we believe about one execution."""

    account: AccountName
    row: Row
    """The newest that was seen, completed by what earlier looks knew."""
    first_seen_at: datetime
    """On our clock."""
    seen_at: datetime
    """On our clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A task, plan or promotion with the names a person knows it by.

    The environment of a promotion is the one it changes, its target.
    """

    kind: Kind
    id: SubjectId
    name: str
    workspace_id: str | None
    workspace: str
    environment_id: str | None
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace and the environment it is in."""

    id: str
    name: str
    environment_id: str | None
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of phase of one execution."""

    account: AccountName
    kind: Kind
    execution: ExecutionId
    subject: SubjectId | None
    phase: Phase
    at: datetime
    """When TMC says it happened."""
    seen_at: datetime
    """When we saw it."""
    trigger: Trigger
    reason: str | None = None
    error: str | None = None
    breakage: Breakage | None = None
    corrects: Phase | None = None
    """The end that TMC took back."""
    quiet: bool = False
    """Happened before its account was watched: history, never an alert."""
    backfilled: bool = False
    """Seen more than ten minutes after it happened."""


UNKNOWN = "unknown"
"""The name of an environment or workspace that TMC has not told us."""


def trigger_named(text: str | None) -> Trigger:
    """Answer with the trigger TMC names, `unknown` for a value never documented."""
    return _TRIGGERS.get(text or "", Trigger.UNKNOWN)


_TRIGGERS: Mapping[str, Trigger] = {trigger.name: trigger for trigger in Trigger}
