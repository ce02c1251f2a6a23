"""Holding back what an outage hid: told once it is known what of it has recovered."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.absence import digest, is_opened_late, may_be_told
from tmcwatch.domain.alert import Alert, AlertId, Status
from tmcwatch.domain.built_in import AWAY
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import AccountName, Kind, Transition
from tmcwatch.domain.rule import Rule
from tmcwatch.store.alerts import held_alerts, hold, release
from tmcwatch.store.capture import lists_catching_up
from tmcwatch.store.conditions import end_condition, lasting_conditions_of
from tmcwatch.store.engine import Connection


@dataclass(slots=True, kw_only=True)
class Holding:
    """The outages that are being caught up with, and the alerts held back meanwhile."""

    rule: Rule | None
    """How the digest is told; None where everything is told one by one."""
    outages: Mapping[AccountName, Sequence[Condition]]
    held: set[AlertId]

    def keeps(self, connection: Connection, transition: Transition, alert: Alert) -> bool:
        """Hold an alert back if it came of an outage; answers whether it is.

        A failure of just now is told at once, with what was held of its task or plan. One that
        ended before it counted is held no longer: the digest is not to count it.
        """
        if alert.id in self.held:
            never_counted = alert.due_at is not None and alert.status is Status.RESOLVED
            if not never_counted and (transition.backfilled or alert.status is Status.RESOLVED):
                return True
            release(connection, [alert.id])
            self.held.discard(alert.id)
            return False
        if transition.account not in self.outages or not is_opened_late(transition, alert):
            return False
        hold(connection, alert.id)
        self.held.add(alert.id)
        return True


def holding_of(connection: Connection, settings: Settings) -> Holding:
    """Answer with what is held back at the beginning of a round."""
    rules = (rule for rule in settings.rules if rule.name == AWAY and rule.enabled)
    rule = next(rules, None)
    outages: defaultdict[AccountName, list[Condition]] = defaultdict(list)
    for condition in lasting_conditions_of(connection, AWAY) if rule else ():
        outages[condition.account].append(condition)
    return Holding(
        rule=rule,
        outages=dict(outages),
        held={alert.id for alert in held_alerts(connection)},
    )


def let_go(
    connection: Connection,
    settings: Settings,
    holding: Holding,
    *,
    is_drained: bool,
    now: datetime,
) -> Iterator[Alert]:
    """Give what was held back and may be told: what still fires, and a digest of the rest.

    `is_drained` says that everything tracking found was decided on: only then is it known what
    has recovered.
    """
    held: defaultdict[AccountName, list[Alert]] = defaultdict(list)
    for alert in held_alerts(connection) if holding.held else ():
        held[AccountName(alert.labels["account"])].append(alert)
    catching_up = lists_catching_up(connection) if holding.outages else {}
    for account in sorted({*held, *holding.outages}):
        outages = holding.outages.get(account, ())
        lists = ((account, Kind(outage.kind)) for outage in outages)
        is_caught_up = is_drained and catching_up.keys().isdisjoint(lists)
        if may_be_told(held[account], is_caught_up=is_caught_up, now=now):
            release(connection, [alert.id for alert in held[account]])
            yield from _told(settings, holding, account, held[account], now=now)
        if is_caught_up:
            _end(connection, outages, now=now)


def _told(
    settings: Settings,
    holding: Holding,
    account: AccountName,
    held: Sequence[Alert],
    *,
    now: datetime,
) -> Iterator[Alert]:
    outages = holding.outages.get(account, ())
    # What is not due yet is told by its own clock, and is nothing that the digest knows of.
    counted = [
        replace(alert, due_at=None)
        for alert in held
        if alert.due_at is None or alert.due_at <= now
    ]
    if holding.rule is not None:
        together = digest(
            holding.rule, account, outages, counted, ownership=settings.ownership, now=now
        )
        if together is not None:
            yield together
    yield from (alert for alert in counted if alert.status is Status.FIRING)


def _end(connection: Connection, outages: Sequence[Condition], *, now: datetime) -> None:
    for outage in outages:
        end_condition(connection, AWAY, outage.account, kind=outage.kind, at=now)
