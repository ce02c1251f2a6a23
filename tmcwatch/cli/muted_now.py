"""Whether an alert that begins now would be told on a route, as far as the config can tell."""

from collections.abc import Mapping
from datetime import datetime

from tmcwatch.alerting.maintaining import windows_of
from tmcwatch.alerting.settings import Mutes
from tmcwatch.domain.alert import Alert, AlertId, Severity
from tmcwatch.domain.grouping import Member
from tmcwatch.domain.muting import Muting, muted_in
from tmcwatch.domain.routing import Route


def muted_now(mutes: Mutes, route: Route, labels: Mapping[str, str], now: datetime) -> str | None:
    """Answer why not, or None: silences and causes are in the store, which is not asked."""
    windows = [
        window for one in mutes.maintenance for window in windows_of(one, since=now, now=now)
    ]
    muting = Muting(at=now, intervals=mutes.intervals, windows=tuple(windows))
    return muted_in(muting, route, [Member(alert=_beginning(labels, now))]).get(_ID)


_ID = AlertId("asked about")


def _beginning(labels: Mapping[str, str], now: datetime) -> Alert:
    return Alert(
        id=_ID,
        rule=labels.get("rule", ""),
        severity=Severity.INFO,
        labels=labels,
        starts_at=now,
        opened_at=now,
        changed_at=now,
    )
