"""What is wrong with the watching itself, as tracking found it: told like any alert."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.built_in import AWAY, NOTICES
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.ourselves import changed_by, id_of
from tmcwatch.domain.parking import FAILING
from tmcwatch.store.alerts import load_alert
from tmcwatch.store.conditions import take_note
from tmcwatch.store.engine import Connection


def about_ourselves(
    connection: Connection,
    settings: Settings,
    untold: Iterable[tuple[int, Condition]],
    *,
    now: datetime,
) -> Iterator[Alert]:
    """Give the alerts that conditions open or end, and take note of them all.

    A rule that is off is not told, nor later, once it is on.
    """
    rules = {rule.name: rule for rule in settings.rules if rule.enabled}
    noted = tuple(untold)
    for place, condition in noted:
        rule = rules.get(condition.rule)
        if rule is None or rule.name == AWAY:
            continue  # an outage is told by its digest, once it is caught up with
        if rule.name == FAILING and len(settings.ways) == 1:
            continue  # by what fails itself; the log and a metric say so
        known = load_alert(connection, id_of(condition, place))
        alert = changed_by(condition, place, rule, known, ownership=settings.ownership, now=now)
        if alert is not None:
            yield alert
    if noted:
        take_note(connection, (place for place, _ in noted))


def is_about_nothing(settings: Settings, alert: Alert) -> bool:
    """Tell whether an alert is of an account, list or receiver that is no longer there.

    Nothing would ever be seen of it again. What is to be told once is told.
    """
    if alert.rule in NOTICES:
        return False
    if alert.rule == FAILING:
        return alert.labels["id"] not in settings.ways
    kind = alert.labels["kind"]
    # Promotions are followed one by one, whichever lists are read.
    gone = kind in {Kind.TASK.value, Kind.PLAN.value} and kind not in settings.kinds
    return gone or alert.labels["account"] not in settings.accounts
