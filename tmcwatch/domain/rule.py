"""The built-in rules: which transition opens an alert, and how bad it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tmcwatch.domain.alert import Severity
from tmcwatch.domain.execution import Kind, Phase, Transition, Trigger


class Nature(StrEnum):
    """When an episode ends: a state when it is over, a verdict at the subject's next success."""

    STATE = "state"
    VERDICT = "verdict"
    NOTICE = "notice"
    """Told once; it has no end worth telling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule with its defaults, as the table below and the config set them."""

    name: str
    summary: str
    """What happened, after the subject's name."""
    nature: Nature = Nature.VERDICT
    severity: Severity
    manual_severity: Severity | None = None
    """For runs that a person started by hand and is looking at."""
    kinds: frozenset[Kind] = frozenset({Kind.TASK, Kind.PLAN})
    phase: Phase | None = None
    """The end it is about; None for a rule that no transition opens."""
    enabled: bool = True
    inside_plans: bool = False
    """Whether it tells of task runs inside a plan, which their plan tells of already."""

    def matches(self, transition: Transition) -> bool:
        inside_plan = transition.kind is Kind.TASK and transition.trigger is Trigger.PLAN
        return (
            self.enabled
            and transition.phase is self.phase
            and transition.kind in self.kinds
            and (self.inside_plans or not inside_plan)
            and not is_excused(transition)
        )

    def severity_of(self, transition: Transition) -> Severity:
        if self.manual_severity is not None and transition.trigger is Trigger.MANUAL:
            return self.manual_severity
        return self.severity


def is_excused(transition: Transition) -> bool:
    """Tell whether a run did not start because its task or plan is paused, as someone wished."""
    reason = transition.reason or ""
    return transition.phase is Phase.MISFIRED and reason.endswith("_PAUSED")


_TASK = frozenset({Kind.TASK})
_PLAN = frozenset({Kind.PLAN})
_PROMOTION = frozenset({Kind.PROMOTION})

AWAY = "away"
"""The digest after an outage."""

EXPIRING = "token_expiring"

BUILT_IN: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            name="failed",
            summary="failed",
            severity=Severity.WARNING,
            manual_severity=Severity.INFO,
            kinds=_TASK,
            phase=Phase.FAILED,
        ),
        Rule(
            name="plan_failed",
            summary="failed",
            severity=Severity.WARNING,
            manual_severity=Severity.INFO,
            kinds=_PLAN,
            phase=Phase.FAILED,
        ),
        Rule(
            name="deploy_failed",
            summary="could not be deployed",
            severity=Severity.WARNING,
            manual_severity=Severity.INFO,
            phase=Phase.DEPLOY_FAILED,
        ),
        Rule(
            name="timed_out",
            summary="ran into its time limit",
            severity=Severity.WARNING,
            manual_severity=Severity.INFO,
            phase=Phase.TIMED_OUT,
        ),
        Rule(
            name="misfired",
            summary="did not start",
            severity=Severity.WARNING,
            phase=Phase.MISFIRED,
        ),
        Rule(
            name="rejected",
            summary="ended with rejected rows",
            severity=Severity.INFO,
            phase=Phase.REJECTED,
        ),
        Rule(
            name="terminated",
            summary="was terminated",
            severity=Severity.INFO,
            phase=Phase.TERMINATED,
        ),
        Rule(
            name="shut_down",
            summary="was ended by a shutdown",
            severity=Severity.INFO,
            phase=Phase.SHUT_DOWN,
        ),
        Rule(
            name="promotion_failed",
            summary="failed",
            severity=Severity.WARNING,
            kinds=_PROMOTION,
            phase=Phase.FAILED,
        ),
        Rule(
            name="promotion_warning",
            summary="ended with warnings",
            severity=Severity.WARNING,
            kinds=_PROMOTION,
            phase=Phase.REJECTED,
        ),
        Rule(
            name="promotion_defective",
            summary="was made with defects",
            severity=Severity.WARNING,
            kinds=_PROMOTION,
            phase=Phase.DEFECTIVE,
        ),
        Rule(
            name="blind",
            summary="cannot be seen",
            nature=Nature.STATE,
            severity=Severity.CRITICAL,
        ),
        Rule(
            name="account_unauthorized",
            summary="refuses our credential",
            nature=Nature.STATE,
            severity=Severity.CRITICAL,
        ),
        Rule(
            name="workspace_lost",
            summary="is no longer visible",
            nature=Nature.STATE,
            severity=Severity.WARNING,
        ),
        Rule(
            name=AWAY,
            summary="was out of sight",
            nature=Nature.NOTICE,
            severity=Severity.WARNING,
        ),
        Rule(
            name="gap",
            summary="has a stretch that nobody can read any more",
            nature=Nature.NOTICE,
            severity=Severity.WARNING,
        ),
        Rule(
            name=EXPIRING,
            summary="has a token that expires",
            nature=Nature.NOTICE,
            severity=Severity.WARNING,
        ),
        Rule(
            name="audit_discrepancy",
            summary="had runs or ends that were missed",
            nature=Nature.NOTICE,
            severity=Severity.WARNING,
        ),
    )
}
"""Every rule that the config may change, by name: those that a transition opens, then those about
the watching itself. Of the former none is critical unless the config says so."""

WATCHING = Rule(
    name="watching",
    summary="is now watched",
    nature=Nature.NOTICE,
    severity=Severity.INFO,
)
"""The opening digest of an account: told once, when its history is read."""

LASTING = frozenset(rule.name for rule in BUILT_IN.values() if rule.nature is Nature.STATE)
"""Rules whose alerts end when the state is over, and never before."""

NOTICES = frozenset(
    rule.name for rule in (*BUILT_IN.values(), WATCHING) if rule.nature is Nature.NOTICE
)
"""Rules whose alerts are told once and end by that."""

ABOUT_OURSELVES = frozenset(rule.name for rule in BUILT_IN.values() if rule.phase is None) | {
    WATCHING.name
}
"""Rules about the watching itself: no run opens them."""
