"""Superseding: an alert that ends because another says more of the same run."""

from collections.abc import Iterable
from dataclasses import replace

from tmcwatch.domain.alert import Alert, AlertId, EndReason
from tmcwatch.domain.built_in import LASTING, NOT_BY_SUCCESS


def superseded_by(over: Alert, others: Iterable[Alert]) -> Alert:
    """Answer with the alert, naming the open one among `others` that its run's end is told by."""
    run = over.annotations.get("execution_id")
    for other in others:
        tells_of_it = other.annotations.get("latest_execution_id") == run
        is_its_end = other.rule not in NOT_BY_SUCCESS | LASTING
        if other.ends_at is None and tells_of_it and is_its_end:
            return naming(over, other.id)
    return over


def naming(over: Alert, successor: AlertId) -> Alert:
    return replace(over, annotations={**over.annotations, "superseded_by": successor})


def successor_of(alert: Alert) -> AlertId | None:
    """Answer with the alert that whoever was told of this one is told instead of its end."""
    if alert.end_reason is not EndReason.SUPERSEDED:
        return None
    successor = alert.annotations.get("superseded_by")
    return AlertId(successor) if successor else None
