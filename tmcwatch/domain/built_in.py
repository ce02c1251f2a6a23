"""The built-in rules: one table of what is told and how bad it is, which the config may change."""

from collections.abc import Mapping
from datetime import timedelta

from tmcwatch.domain.alert import Severity
from tmcwatch.domain.execution import Kind, Phase
from tmcwatch.domain.rule import About, After, Nature, Reasons, Rule

_TASK = frozenset({Kind.TASK})
_PLAN = frozenset({Kind.PLAN})
_PROMOTION = frozenset({Kind.PROMOTION})

SILENCE_ENDING = "silence_ending"

AWAY = "away"
"""The digest after an outage."""

EXPIRING = "token_expiring"

_PARALLEL = ("PARALLEL_*_FORBIDDEN",)
_LIMIT = ("*_LIMIT_REACHED",)
_ENGINE = ("*_UNAVAILABLE*", "*_CONTAINER_NOT_FOUND")

OF_RUNS = (
    Rule(
        name="failed",
        summary="failed",
        severity=Severity.WARNING,
        manual_severity=Severity.INFO,
        kinds=_TASK,
        phases=frozenset({Phase.FAILED}),
    ),
    Rule(
        name="plan_failed",
        summary="failed",
        severity=Severity.WARNING,
        manual_severity=Severity.INFO,
        kinds=_PLAN,
        phases=frozenset({Phase.FAILED}),
    ),
    Rule(
        name="deploy_failed",
        summary="could not be deployed",
        severity=Severity.WARNING,
        manual_severity=Severity.INFO,
        phases=frozenset({Phase.DEPLOY_FAILED}),
    ),
    Rule(
        name="timed_out",
        summary="ran into its time limit",
        severity=Severity.WARNING,
        manual_severity=Severity.INFO,
        phases=frozenset({Phase.TIMED_OUT}),
    ),
    Rule(
        name="misfired",
        summary="did not start",
        severity=Severity.WARNING,
        phases=frozenset({Phase.MISFIRED}),
        reasons=Reasons(but=(*_PARALLEL, *_LIMIT, *_ENGINE)),
    ),
    Rule(
        name="misfired_parallel",
        summary="did not start",
        severity=Severity.WARNING,
        phases=frozenset({Phase.MISFIRED}),
        reasons=Reasons(among=_PARALLEL),
        in_a_row=3,
    ),
    Rule(
        name="misfired_limit",
        summary="has no room for further runs",
        severity=Severity.WARNING,
        phases=frozenset({Phase.MISFIRED}),
        reasons=Reasons(among=_LIMIT, but=_ENGINE),
        about=About.ENGINE,
    ),
    Rule(
        name="misfired_engine",
        summary="cannot take runs",
        severity=Severity.WARNING,
        phases=frozenset({Phase.MISFIRED}),
        reasons=Reasons(among=_ENGINE),
        about=About.ENGINE,
    ),
    Rule(
        name="rejected",
        summary="ended with rejected rows",
        severity=Severity.INFO,
        phases=frozenset({Phase.REJECTED}),
    ),
    Rule(
        name="terminated",
        summary="was terminated",
        severity=Severity.INFO,
        phases=frozenset({Phase.TERMINATED}),
    ),
    Rule(
        name="shut_down",
        summary="was ended by a shutdown",
        severity=Severity.INFO,
        phases=frozenset({Phase.SHUT_DOWN}),
    ),
    Rule(
        name="promotion_failed",
        summary="failed",
        severity=Severity.WARNING,
        kinds=_PROMOTION,
        phases=frozenset({Phase.FAILED}),
    ),
    Rule(
        name="promotion_warning",
        summary="ended with warnings",
        severity=Severity.WARNING,
        kinds=_PROMOTION,
        phases=frozenset({Phase.REJECTED}),
    ),
    Rule(
        name="promotion_defective",
        summary="was made with defects",
        severity=Severity.WARNING,
        kinds=_PROMOTION,
        phases=frozenset({Phase.DEFECTIVE}),
    ),
)
"""Rules that the end of a run opens. None is critical unless the config says so."""

ON_THE_WAY = (
    Rule(
        name="stuck",
        summary="does not go on",
        nature=Nature.STATE,
        severity=Severity.WARNING,
    ),
    Rule(
        name="plan_step_failed",
        summary="has a step that failed",
        severity=Severity.WARNING,
        manual_severity=Severity.INFO,
        kinds=_PLAN,
    ),
    Rule(
        name="started_late",
        summary="started late",
        severity=Severity.INFO,
        kinds=_TASK,
    ),
    Rule(
        name="zero_rows",
        summary="processed no rows",
        severity=Severity.INFO,
        kinds=_TASK,
        enabled=False,
    ),
    Rule(
        name="rejected_ratio",
        summary="rejected many rows",
        severity=Severity.INFO,
        kinds=_TASK,
        enabled=False,
    ),
)
"""Rules about runs that no bad end of their own opens. The last two need the details of every
success, each a request: off unless the config says so."""

OF_EPISODES = (
    Rule(
        name="failing_again",
        summary="keeps failing",
        severity=Severity.WARNING,
        in_a_row=3,
    ),
    Rule(
        name="flapping",
        summary="fails and recovers again and again",
        severity=Severity.WARNING,
        after=After(count=4, within=timedelta(hours=6)),
    ),
)
"""Rules that open no alert: they raise the severity of one that is open, by a step and up to
their own."""

OF_OURSELVES = (
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
        name="delivery_failing",
        summary="accepts no messages",
        nature=Nature.STATE,
        severity=Severity.WARNING,
    ),
    Rule(
        name="throttled",
        summary="is asked too much of, as TMC says",
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
        name="unrecognised_status",
        summary="has a status that is not known",
        nature=Nature.NOTICE,
        severity=Severity.WARNING,
    ),
    Rule(
        name="audit_discrepancy",
        summary="had runs or ends that were missed",
        nature=Nature.NOTICE,
        severity=Severity.WARNING,
    ),
    Rule(
        name=SILENCE_ENDING,
        summary="is about to end",
        nature=Nature.NOTICE,
        severity=Severity.INFO,
    ),
)
"""Rules about the watching itself: no run opens them."""

BUILT_IN: Mapping[str, Rule] = {
    rule.name: rule for rule in (*OF_RUNS, *ON_THE_WAY, *OF_EPISODES, *OF_OURSELVES)
}
"""Every rule that the config may change, by name."""

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

ABOUT_OURSELVES = frozenset(rule.name for rule in (*OF_OURSELVES, WATCHING))
"""Rules about the watching itself, by name."""

OF_ROWS = frozenset({"zero_rows", "rejected_ratio"})
"""Rules that need row counts, which only details have."""

NOT_BY_SUCCESS = OF_ROWS | {"started_late"}
"""Verdicts that the next run ends that is as it should be, rather than the next success."""
