"""Deciding on runs that began late, or whose rows are not as they should be."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from tmcwatch.alerting.linking import link_to
from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.built_in import NOT_BY_SUCCESS
from tmcwatch.domain.execution import AccountName, Kind, Phase, Row, SubjectId, Transition
from tmcwatch.domain.lifecycle import BACKFILLED_AFTER
from tmcwatch.domain.measuring import STARTED_LATE, after_run, is_true_of
from tmcwatch.domain.opening import Whose, rule_for
from tmcwatch.domain.scope import EVERYTHING
from tmcwatch.domain.stuck import stuck_id
from tmcwatch.store.alerts import known_ids, open_alerts_on
from tmcwatch.store.engine import Connection
from tmcwatch.store.executions import load_executions
from tmcwatch.store.subjects import load_subjects, unnamed

_Wanted: TypeAlias = tuple[str, Transition]
"""The name of a rule, and what it may be about."""

_GONE_WELL = frozenset({Phase.SUCCEEDED, Phase.REJECTED})


def decide_on_measures(
    connection: Connection,
    settings: Settings,
    ready: Sequence[tuple[int, Transition]],
    watched_from: Mapping[str, datetime],
) -> Iterator[tuple[Transition, Alert]]:
    """Give the alerts that runs open, count on or end, with the transition that showed it."""
    names = {rule.name for rule in settings.rules if rule.enabled} & NOT_BY_SUCCESS
    wanted: dict[AccountName, list[_Wanted]] = {}
    for _, transition in ready:
        for name in sorted(names):
            began = watched_from.get(name, transition.at)
            if _concerns(name, transition) and transition.at >= began:
                wanted.setdefault(transition.account, []).append((name, transition))
    for account, asked in wanted.items():
        yield from _of_account(connection, settings, account, asked)


def _concerns(name: str, transition: Transition) -> bool:
    if transition.quiet or transition.kind is not Kind.TASK or transition.subject is None:
        return False
    if name != STARTED_LATE:
        return transition.phase in _GONE_WELL
    # A late start that is itself found late is of no use to anybody any more.
    found_late = transition.seen_at - transition.at > BACKFILLED_AFTER
    return transition.phase is Phase.RUNNING and not found_late


def _of_account(
    connection: Connection, settings: Settings, account: AccountName, asked: Sequence[_Wanted]
) -> Iterator[tuple[Transition, Alert]]:
    ids = {transition.execution for _, transition in asked}
    executions = load_executions(connection, account, Kind.TASK, sorted(ids))
    subjects = {transition.subject for _, transition in asked if transition.subject is not None}
    ongoing = {
        (alert.rule, alert.labels["id"]): alert
        for alert in open_alerts_on(connection, account, Kind.TASK, subjects)
        if alert.rule in NOT_BY_SUCCESS
    }
    for name, transition in asked:
        execution = executions.get(transition.execution)
        if execution is None:
            continue
        known = ongoing.get((name, transition.subject or ""))
        alert = _after(connection, settings, transition, execution.row, name=name, known=known)
        if alert is not None:
            yield transition, alert
            ongoing[name, transition.subject or ""] = alert


def _after(
    connection: Connection,
    settings: Settings,
    transition: Transition,
    row: Row,
    *,
    name: str,
    known: Alert | None,
) -> Alert | None:
    ongoing = known if known is not None and known.ends_at is None else None
    rules = [rule for rule in settings.rules if rule.name == name]
    if ongoing is None and not any(is_true_of(rule, row) for rule in rules):
        return None  # nearly all: nothing to tell and nothing to end, so no name is asked
    whose = _whose(connection, transition, row)
    if name == STARTED_LATE and known_ids(connection, [stuck_id(whose, row)]):
        return None  # told already, while it waited
    rule = rule_for(rules, name, whose, settings.ownership)
    if rule is None or not settings.scopes.get(whose.account, EVERYTHING).includes(whose.subject):
        return None
    alert = after_run(
        rule,
        row,
        whose,
        ongoing,
        link=link_to(settings, whose.account, whose.subject, row.id),
        ownership=settings.ownership,
        now=transition.seen_at,
    )
    if alert is not None and ongoing is None and known_ids(connection, [alert.id]):
        return None  # a run whose end was corrected, measured again: what ended of it stays so
    return alert


def _whose(connection: Connection, transition: Transition, row: Row) -> Whose:
    id_ = transition.subject or SubjectId("")
    found = load_subjects(connection, transition.account, transition.kind, [id_])
    subject = found[id_][0] if id_ in found else unnamed(id_, transition.kind)
    return Whose(
        account=transition.account, subject=subject, trigger=row.trigger, engine=row.engine
    )
