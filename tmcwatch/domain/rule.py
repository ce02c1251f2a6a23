"""Rules: conditions on how runs end, and how bad it is when they hold."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from tmcwatch.domain.alert import Severity
from tmcwatch.domain.execution import Kind, Phase, Transition, Trigger
from tmcwatch.domain.limits import USUAL, Limits
from tmcwatch.domain.matcher import Matcher, all_match


class Nature(StrEnum):
    """When an episode ends: a state when it is over, a verdict at the subject's next success."""

    STATE = "state"
    VERDICT = "verdict"
    NOTICE = "notice"
    """Told once; it has no end worth telling."""


class About(StrEnum):
    """What an alert is about, and so what shares one."""

    SUBJECT = "subject"
    """The task, plan or promotion that ran."""
    ENGINE = "engine"
    """The engine that was to run it; the account where none is named."""
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """So many ends within such a time, successes in between or not."""

    count: int
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Which of TMC's reasons count, by patterns such as `*_PAUSED`; a missing one is empty."""

    among: tuple[str, ...] = ("*",)
    but: tuple[str, ...] = ()

    def include(self, reason: str | None) -> bool:
        return _fits_any(reason, self.among) and not _fits_any(reason, self.but)


def _fits_any(reason: str | None, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(reason or "", pattern) for pattern in patterns)


EVERY_REASON = Reasons()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, as the built-in table and the config set it.

    Of several rules with one name the first whose matchers match is the one that holds.
    """

    name: str
    summary: str = ""
    """What happened, after the subject's name; without one, what the end is called."""
    nature: Nature = Nature.VERDICT
    severity: Severity
    manual_severity: Severity | None = None
    """For runs that a person started by hand and is looking at."""
    kinds: frozenset[Kind] = frozenset({Kind.TASK, Kind.PLAN})
    phases: frozenset[Phase] = frozenset()
    """The ends it is about; none for a rule that no transition opens."""
    matchers: tuple[Matcher, ...] = ()
    """On the labels that an alert about the run itself has."""
    reasons: Reasons = EVERY_REASON
    for_: timedelta = timedelta()
    """How long it must still be the latest outcome before it is told."""
    after: After | None = None
    in_a_row: int = 1
    """How many it takes with no success between them."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Further labels of its alerts, which go before those that the config adds to all."""
    text: str = ""
    """Template of what it says, instead of tmcwatch's own sentence."""
    about: About = About.SUBJECT
    limits: Limits = USUAL
    enabled: bool = True
    inside_plans: bool = False
    """Whether it tells of task runs inside a plan, which their plan tells of already."""

    @property
    def counts(self) -> bool:
        """Tell whether one run is not enough to open an alert."""
        return self.after is not None or self.in_a_row > 1

    def matches(self, transition: Transition) -> bool:
        """Tell whether it is about such an end, its matchers apart."""
        inside_plan = transition.kind is Kind.TASK and transition.trigger is Trigger.PLAN
        return (
            self.enabled
            and transition.phase in self.phases
            and transition.kind in self.kinds
            and (self.inside_plans or not inside_plan)
            and not is_excused(transition)
            and self.reasons.include(transition.reason)
        )

    def severity_of(self, transition: Transition) -> Severity:
        if self.manual_severity is not None and transition.trigger is Trigger.MANUAL:
            return self.manual_severity
        return self.severity


def is_excused(transition: Transition) -> bool:
    """Tell whether a run did not start because its task or plan is paused, as someone wished."""
    reason = transition.reason or ""
    return transition.phase is Phase.MISFIRED and reason.endswith("_PAUSED")


def holding(
    rules: Iterable[Rule], transition: Transition, labels: Mapping[str, str]
) -> Iterator[Rule]:
    """Give the rules that are about an end whose run has these labels, one of each name."""
    decided: set[str] = set()
    for rule in rules:
        if transition.phase not in rule.phases or rule.name in decided:
            continue
        if all_match(rule.matchers, labels):
            decided.add(rule.name)
            if rule.matches(transition):
                yield rule


def rule_named(rules: Iterable[Rule], name: str, labels: Mapping[str, str]) -> Rule | None:
    """Answer with the rule of a name that holds for what has these labels, None without one."""
    found = (rule for rule in rules if rule.name == name and all_match(rule.matchers, labels))
    return next(found, None)
