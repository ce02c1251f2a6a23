"""Worsening: an episode that is worse than its rule says, as it goes on or keeps coming back."""

from dataclasses import replace
from datetime import datetime

from tmcwatch.domain.alert import Alert, Severity
from tmcwatch.domain.rule import After, Rule
from tmcwatch.domain.spoken import span

FAILING_AGAIN = "failing_again"
FLAPPING = "flapping"

KEPT = ("flapping", "raised_by")
"""Annotations that an episode keeps whatever its next run says."""

_GRAVITY = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


def carried_over(alert: Alert, before: Alert) -> Alert:
    """Answer with the alert, and what it keeps of what it was before its newest run."""
    kept = {name: before.annotations[name] for name in KEPT if name in before.annotations}
    alert = replace(alert, annotations={**alert.annotations, **kept})
    return _said(alert) if is_flapping(alert) else alert


def raised_by_failures(alert: Alert, rule: Rule, *, failures: int) -> Alert:
    """Answer with the alert, worse by a step if its subject has failed so often in a row."""
    return _raised(alert, rule) if failures >= rule.in_a_row else alert


def flapping(alert: Alert, rule: Rule, after: After, *, episodes: int) -> Alert:
    """Answer with a new alert, marked if it is one of too many within the time.

    `episodes` counts it and those of the same rule and subject before it.
    """
    if episodes < after.count or is_flapping(alert):
        return alert
    how = f"{episodes} times within {span(after.within)}"
    marked = replace(alert, annotations={**alert.annotations, "flapping": how})
    return _said(_raised(marked, rule))


def is_flapping(alert: Alert) -> bool:
    return "flapping" in alert.annotations


def calmer(alert: Alert, rule: Rule, *, now: datetime) -> Alert | None:
    """Answer with a flapping alert after one more success, None if that was enough to end it."""
    calm = int(alert.annotations.get("calm", "0")) + 1
    if calm >= rule.limits.calm_after:
        return None
    return replace(alert, annotations={**alert.annotations, "calm": str(calm)}, changed_at=now)


def _raised(alert: Alert, rule: Rule) -> Alert:
    """Raise the severity by one step, once for each rule, and never above what the rule allows."""
    by = alert.annotations.get("raised_by", "").split()
    place = _GRAVITY.index(alert.severity)
    highest = _GRAVITY.index(rule.severity)
    if rule.name in by or place >= highest:
        return alert
    severity = _GRAVITY[place + 1]
    return replace(
        alert,
        severity=severity,
        labels={**alert.labels, "severity": severity.value},
        annotations={**alert.annotations, "raised_by": " ".join([*by, rule.name])},
    )


def _said(alert: Alert) -> Alert:
    summary = alert.annotations.get("summary", "")
    said = f"; it is flapping: {alert.annotations['flapping']}"
    # A run that is older than the newest leaves the summary as it was.
    summary = summary.removesuffix(said) + said
    return replace(alert, annotations={**alert.annotations, "summary": summary})
