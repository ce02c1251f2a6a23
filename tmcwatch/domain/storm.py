"""Storms: when a receiver would be told more than anyone reads, and what it is told instead."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert, EndReason, Severity, Status

MOST_LISTED = 20
"""Alerts that a summary lists, the worst of all it stands for."""
MOST_COUNTED = 20
"""Values of one label that a summary counts by."""
COUNTED_BY = ("rule", "environment", "account")

_GRAVITY = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class StormLimit:
    """More news than `above` in so short a time is told as one summary."""

    above: int = 100
    within: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A storm that a receiver is in."""

    since: datetime
    flushed_at: datetime | None = None
    """When its last summary was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StormFacts:
    """What a summary says beside the few alerts that it lists."""

    since: datetime
    firing: int
    """Alerts told by it that still fire, those listed included."""
    over: int
    """Ends told by it, those listed included."""
    recovered: int
    """How many of these are recoveries."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Alerts by the commonest values of a label: `{"rule": {"failed": 4_812}}`."""

    @property
    def alerts(self) -> int:
        return self.firing + self.over


def is_stormy(news: int, limit: StormLimit, *, lasting: bool) -> bool:
    """Tell whether so much news for one receiver is a storm; one that lasts ends at the half."""
    return news * 2 >= limit.above if lasting else news > limit.above


def worst(alerts: Iterable[Alert], most: int = MOST_LISTED) -> tuple[Alert, ...]:
    """Answer with the alerts that matter most: those that fire, the gravest, the oldest."""
    return tuple(sorted(alerts, key=_rank)[:most])


def facts_of_storm(alerts: Sequence[Alert], *, since: datetime) -> StormFacts:
    over = [alert for alert in alerts if alert.status is Status.RESOLVED]
    return StormFacts(
        since=since,
        firing=len(alerts) - len(over),
        over=len(over),
        recovered=sum(alert.end_reason is EndReason.RECOVERED for alert in over),
        counts={name: _counted(name, alerts) for name in COUNTED_BY},
    )


def _counted(name: str, alerts: Iterable[Alert]) -> dict[str, int]:
    values = Counter(text for alert in alerts if (text := alert.labels.get(name, "")))
    return dict(values.most_common(MOST_COUNTED))


def _rank(alert: Alert) -> tuple[bool, int, datetime]:
    return alert.status is Status.RESOLVED, _GRAVITY.index(alert.severity), alert.starts_at
