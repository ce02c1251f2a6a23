"""Deciding on executions that wait, or are being stopped, for too long."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tmcwatch.alerting.linking import link_to
from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert, AlertId, EndReason
from tmcwatch.domain.execution import AccountName, ExecutionId, Kind, SubjectId
from tmcwatch.domain.opening import Whose, rule_for
from tmcwatch.domain.scope import EVERYTHING
from tmcwatch.domain.stuck import (
    STUCK,
    Seen,
    Stuck,
    is_stuck,
    long_since,
    look_again_at,
    opened_stuck,
    seen_by,
    unstuck,
)
from tmcwatch.domain.superseding import superseded_by
from tmcwatch.store.alerts import known_ids, ongoing_alerts, open_alerts_of
from tmcwatch.store.conditions import lasting_conditions_of
from tmcwatch.store.engine import Connection
from tmcwatch.store.executions import load_executions
from tmcwatch.store.rule_watches import rules_watched_from
from tmcwatch.store.stuck import held_up, oldest_others, seen_lists
from tmcwatch.store.subjects import load_subjects, unnamed

MOST_AT_ONCE = 500
"""Alerts that one round opens of one list."""

_UNSEEING = ("blind", "account_unauthorized")


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckNow:
    """What a round finds of executions that are stuck."""

    alerts: tuple[Alert, ...] = ()
    next_at: datetime | None = None
    """When the next one may be."""
    more: bool = False
    """Whether there are more than one round opens."""


def decide_on_stuck(connection: Connection, settings: Settings, *, now: datetime) -> StuckNow:
    """Answer with the alerts of executions that became stuck, or are so no longer.

    Of a list that is not seen nobody knows: its alerts are neither opened nor ended.
    """
    rules = [rule for rule in settings.rules if rule.name == STUCK and rule.enabled]
    if not rules:
        return StuckNow()
    unseen = {
        (condition.account, condition.kind)
        for name in _UNSEEING
        for condition in lasting_conditions_of(connection, name)
    }
    changed = list(_gone_on(connection, unseen, now=now))
    next_at: list[datetime | None] = []
    more = False
    begun = rules_watched_from(connection).get(STUCK)
    for one in seen_lists(connection):
        seen = seen_by(one, begun)
        if unseen.isdisjoint({(seen.account, seen.kind.value), (seen.account, "")}):
            since = long_since(rules, seen)
            stuck = held_up(connection, seen, since)
            new = _unknown(connection, stuck)
            more = more or len(new) > MOST_AT_ONCE
            changed += _opened(connection, settings, seen, new[:MOST_AT_ONCE], now=now)
            others = oldest_others(connection, seen, since)
            next_at.append(look_again_at(rules, others, now=now))
    return StuckNow(
        alerts=tuple(changed), next_at=min(filter(None, next_at), default=None), more=more
    )


def _gone_on(
    connection: Connection, unseen: set[tuple[AccountName, str]], *, now: datetime
) -> Iterator[Alert]:
    for (account, kind), alerts in _by_list(open_alerts_of(connection, [STUCK])).items():
        if not unseen.isdisjoint({(account, kind.value), (account, "")}):
            continue
        ids = [ExecutionId(alert.annotations["execution_id"]) for alert in alerts]
        executions = load_executions(connection, account, kind, ids)
        for alert, id_ in zip(alerts, ids, strict=True):
            execution = executions.get(id_)
            over = unstuck(alert, execution.row if execution else None, now=now)
            if over is not None:
                yield _with_successor(connection, account, kind, over)


def _by_list(alerts: Iterable[Alert]) -> dict[tuple[AccountName, Kind], list[Alert]]:
    found: dict[tuple[AccountName, Kind], list[Alert]] = {}
    for alert in alerts:
        key = AccountName(alert.labels["account"]), Kind(alert.labels["kind"])
        found.setdefault(key, []).append(alert)
    return found


def _with_successor(
    connection: Connection, account: AccountName, kind: Kind, over: Alert
) -> Alert:
    """Answer with the alert, naming the one that its execution's bad end opened."""
    if over.end_reason is not EndReason.SUPERSEDED:
        return over
    others = ongoing_alerts(connection, account, kind, SubjectId(over.labels["id"]))
    return superseded_by(over, others)


def _unknown(connection: Connection, stuck: Iterable[Stuck]) -> list[Stuck]:
    """Answer with those that were not told of, open or not."""
    by_id = {one.id: one for one in stuck}
    known = known_ids(connection, by_id) if by_id else frozenset[AlertId]()
    return [one for id_, one in by_id.items() if id_ not in known]


def _opened(
    connection: Connection,
    settings: Settings,
    seen: Seen,
    stuck: Sequence[Stuck],
    *,
    now: datetime,
) -> Iterator[Alert]:
    ids = {one.subject for one in stuck}
    named = load_subjects(connection, seen.account, seen.kind, ids) if ids else {}
    scope = settings.scopes.get(seen.account, EVERYTHING)
    for one in stuck:
        known = named.get(one.subject)
        whose = Whose(
            account=one.account,
            subject=known[0] if known else unnamed(one.subject, one.kind),
            trigger=one.trigger,
            engine=one.engine,
        )
        rule = rule_for(settings.rules, STUCK, whose, settings.ownership)
        if rule is None or not is_stuck(rule, one, seen) or not scope.includes(whose.subject):
            continue
        link = link_to(settings, one.account, whose.subject, one.execution)
        yield opened_stuck(rule, one, whose, link=link, ownership=settings.ownership, now=now)
