"""The config's rules: changes to built-in ones, and rules that a user writes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from tmcwatch.config.durations import Duration, between
from tmcwatch.config.section import Section
from tmcwatch.config.values import SOME, Condition, LabelName, OwnRuleName, RuleName, RuleText
from tmcwatch.domain.alert import Severity

MOST_COUNTED = 100
_DAY = timedelta(days=1)
_TO_WAIT = between(timedelta(minutes=1), timedelta(days=7))
_Number = Annotated[int, Field(ge=2, le=MOST_COUNTED, strict=True)]


class AfterSetting(Section):
    """So many ends within such a time."""

    count: _Number
    within: Annotated[Duration, between(timedelta(seconds=1), timedelta(days=35))]


class RuleSetting(Section):
    """What is changed of a built-in rule, or a rule of one's own."""

    rule: RuleName | None = None
    """The built-in rule that is changed."""
    name: OwnRuleName | None = None
    """The name of a rule of one's own, instead of `rule`."""
    enabled: bool | None = None
    matchers: tuple[Condition, ...] = ()
    """On the labels of the run; of the entries of one rule the first that matches holds."""
    phases: (
        Annotated[
            tuple[
                Literal[
                    "failed",
                    "deploy_failed",
                    "timed_out",
                    "misfired",
                    "rejected",
                    "terminated",
                    "shut_down",
                    "defective",
                ],
                ...,
            ],
            *SOME,
        ]
        | None
    ) = None
    """The ends that a rule of one's own is about; by default every bad one."""
    kinds: Annotated[tuple[Literal["task", "plan", "promotion"], ...], *SOME] | None = None
    """What a rule of one's own is about; by default tasks and plans."""
    for_: Annotated[Duration, between(timedelta(0), _DAY)] | None = Field(
        default=None, alias="for"
    )
    """How long it must still be the latest outcome before it is told."""
    after: AfterSetting | None = None
    """How many ends within which time it takes, successes in between or not."""
    in_a_row: Annotated[int, Field(ge=1, le=MOST_COUNTED, strict=True)] | None = None
    """How many it takes with no success between them."""
    severity: Severity | None = None
    labels: Mapping[LabelName, str] = Field(default_factory=dict)
    """Further labels of its alerts."""
    text: RuleText | None = None
    """What its alerts say, with fields such as `{name}`."""
    inside_plans: bool | None = None
    """Whether runs of tasks inside a plan are told too, besides their plan."""
    waiting: Annotated[Duration, _TO_WAIT] | None = None
    """Of `stuck`: how long a run may wait to start; 30m by default."""
    stopping: Annotated[Duration, _TO_WAIT] | None = None
    """Of `stuck`: how long a stop may take; 30m by default."""
    delay: Annotated[Duration, _TO_WAIT] | None = None
    """Of `started_late`: how long after its trigger a run may start; 10m by default."""
    ratio: Annotated[float, Field(ge=0, lt=1, strict=True)] | None = None
    """Of `rejected_ratio`: the share of rejected rows that is not told; 0.05 by default."""
    calm_after: Annotated[int, Field(ge=1, le=MOST_COUNTED, strict=True)] | None = None
    """Of `flapping`: how many successes in a row end it; 3 by default."""
