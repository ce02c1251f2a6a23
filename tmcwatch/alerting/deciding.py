"""One round of deciding: transitions become alerts, in one transaction with the cursor."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from tmcwatch.alerting.calm import CURSOR, calm_round, watching_mark
from tmcwatch.alerting.circumstances import Known, circumstances_of, known_at_first
from tmcwatch.alerting.coming_due import come_due, due_next
from tmcwatch.alerting.ending import forgotten, gone
from tmcwatch.alerting.enriching import Enriching
from tmcwatch.alerting.expiring import expiring_tokens
from tmcwatch.alerting.first_look import watch_rules
from tmcwatch.alerting.flushing import flush_groups
from tmcwatch.alerting.grouping import put_into_groups
from tmcwatch.alerting.holding import Holding, holding_of, let_go
from tmcwatch.alerting.measuring import decide_on_measures
from tmcwatch.alerting.ourselves import about_ourselves, is_about_nothing
from tmcwatch.alerting.plan_steps import decide_on_step
from tmcwatch.alerting.regrouping import regroup
from tmcwatch.alerting.settings import Settings
from tmcwatch.alerting.silencing import silences_ending
from tmcwatch.alerting.storming import tell_together
from tmcwatch.alerting.stuck import StuckNow, decide_on_stuck
from tmcwatch.alerting.superseding import leave_to_successors
from tmcwatch.domain.alert import Alert, AlertId, EndReason
from tmcwatch.domain.built_in import ABOUT_OURSELVES, WATCHING
from tmcwatch.domain.episode import alert_id, changed_alerts, ended, is_shared
from tmcwatch.domain.execution import ENDS, AccountName, Kind, Phase, SubjectId, Transition
from tmcwatch.domain.muting import Suppression
from tmcwatch.domain.ourselves import Concern, opened
from tmcwatch.domain.plan_step import superseded_by_its_plan
from tmcwatch.domain.rule import rule_named
from tmcwatch.domain.scope import EVERYTHING
from tmcwatch.store.alerts import (
    ongoing_alerts,
    open_alerts,
    save_alerts,
)
from tmcwatch.store.capture import accounts_with_history_read
from tmcwatch.store.conditions import untold_conditions
from tmcwatch.store.engine import Connection
from tmcwatch.store.groups import leave_groups
from tmcwatch.store.outbox import bury_orphans
from tmcwatch.store.parked import forget_targets
from tmcwatch.store.subjects import Failing, failing, load_subjects
from tmcwatch.store.transitions import (
    cursor,
    names_cursor,
    save_cursor,
    transitions_after,
)

AT_ONCE = 500
"""Transitions, groups or stale alerts in one transaction."""

NAMES_WITHIN = timedelta(seconds=60)
"""How long a transition waits for an account's first names: they are frozen into labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a round did."""

    more: bool
    """Whether there is more to decide at once."""
    owed: int
    """Deliveries written to the outbox."""
    next_at: datetime | None
    """When the next group or alert is due, or the next execution may be stuck."""
    alerts: tuple[Alert, ...]
    suppressed: Mapping[Suppression, int]
    """Alerts that receivers are not told of on their own, by why."""


def decide(
    connection: Connection,
    settings: Settings,
    *,
    now: datetime,
    since: datetime | None = None,
    is_thorough: bool = True,
) -> Decided:
    """Decide on everything new, and on everything whose time has come.

    `since` is when this watching began, where that is known. What changes slowly, and of which no
    ring tells, is left out where it need not be thorough and no run ended.
    """
    calm = calm_round(connection, settings, now=now, is_thorough=is_thorough)
    if calm is not None:
        return Decided(more=False, owed=0, next_at=calm.next_at, alerts=(), suppressed={})
    return decide_in_full(connection, settings, now=now, since=since, is_thorough=is_thorough)


def decide_in_full(
    connection: Connection,
    settings: Settings,
    *,
    now: datetime,
    since: datetime | None = None,
    is_thorough: bool = True,
) -> Decided:
    """Decide as `decide` does, however little there seems to be to decide on."""
    waiting = transitions_after(connection, cursor(connection, CURSOR), most=AT_ONCE)
    ready = _named_or_late(connection, waiting, now=now)
    holding = holding_of(connection, settings)
    changed = _decided_on_all(connection, settings, ready, holding, now=now)
    is_drained = len(ready) == len(waiting) < AT_ONCE
    is_thorough = is_thorough or bool(ready)
    stuck = decide_on_stuck(connection, settings, now=now) if is_thorough else StuckNow()
    noted = untold_conditions(connection, most=AT_ONCE)
    undecided = {transition.account for _, transition in waiting[len(ready) :]}
    due = come_due(connection, undecided=undecided, since=since, now=now, most=AT_ONCE)
    released: list[AlertId] = []
    # One after the other, so that each finds what the one before it has ended.
    for alert in chain(
        stuck.alerts,
        gone(connection, now=now) if is_thorough else (),
        forgotten(connection, now=now) if is_thorough else (),
        due if len(waiting) < AT_ONCE else (),
        _openings(connection, settings, now),
        expiring_tokens(connection, settings, now=now) if is_thorough else (),
        about_ourselves(connection, settings, noted, now=now),
        silences_ending(connection, settings, now=now) if is_thorough else (),
        _noting(released, let_go(connection, settings, holding, is_drained=is_drained, now=now)),
    ):
        save_alerts(connection, [alert])
        if alert.due_at is None:  # else it ended before it counted, and nobody was told
            changed[alert.id] = alert
    put_into_groups(connection, settings, changed.values(), now=now)
    leave_to_successors(connection, settings, changed.values(), now=now)
    tell_together(connection, settings, released, now=now)
    flushed = flush_groups(connection, settings, now=now, most=AT_ONCE)
    return Decided(
        more=stuck.more or AT_ONCE in {len(ready), len(noted), flushed.groups},
        owed=flushed.owed,
        next_at=_earliest(flushed.next_at, due_next(connection, now), stuck.next_at),
        alerts=tuple(changed.values()),
        suppressed=flushed.suppressed,
    )


def _noting(ids: list[AlertId], alerts: Iterable[Alert]) -> Iterator[Alert]:
    for alert in alerts:
        ids.append(alert.id)
        yield alert


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def settle(connection: Connection, settings: Settings, *, now: datetime) -> None:
    """Settle what a changed config leaves behind, before the first round with it.

    Alerts of rules that are gone are closed, silently, as are those of an account or a list that
    is no longer watched, and those of tasks and plans that are no longer in scope.
    Alerts of groups that no route leads to any more are grouped anew; deliveries to targets that
    are gone become dead letters, which a person can see. Rules that are new are watched from now
    on.
    """
    watch_rules(connection, settings, now=now)
    gone = [
        alert
        for alert in open_alerts(connection)
        if _is_off(settings, alert)
        or is_about_nothing(settings, alert)
        or _is_outside(connection, settings, alert)
    ]
    # Out of their groups first: what a person closes is told to those who know of it.
    leave_groups(connection, [alert.id for alert in gone])
    save_alerts(connection, (ended(alert, EndReason.CLOSED, at=now, now=now) for alert in gone))
    regroup(connection, settings, now=now)
    bury_orphans(connection, settings.targets, now)
    forget_targets(connection, settings.ways, now=now)


def _is_off(settings: Settings, alert: Alert) -> bool:
    """Tell whether no rule, or one that is off, is about what an alert is about."""
    if alert.rule == WATCHING.name:
        return False
    enabled = {rule.name for rule in settings.rules if rule.enabled}
    today = None if is_shared(alert) else rule_named(settings.rules, alert.rule, alert.labels)
    return alert.rule not in enabled or (today is not None and not today.enabled)


def _is_outside(connection: Connection, settings: Settings, alert: Alert) -> bool:
    scope = settings.scopes.get(AccountName(alert.labels["account"]), EVERYTHING)
    if scope == EVERYTHING or alert.rule in ABOUT_OURSELVES or is_shared(alert):
        return False
    kind, id_ = Kind(alert.labels["kind"]), SubjectId(alert.labels["id"])
    found = load_subjects(connection, AccountName(alert.labels["account"]), kind, [id_])
    return id_ in found and not scope.includes(found[id_][0])


def _named_or_late(
    connection: Connection, waiting: Iterable[tuple[int, Transition]], *, now: datetime
) -> tuple[tuple[int, Transition], ...]:
    """Answer with the transitions up to the first whose account has no names yet."""
    named: dict[AccountName, bool] = {}
    ready = []
    for sequence, transition in waiting:
        account = transition.account
        if account not in named:
            named[account] = bool(cursor(connection, names_cursor(account)))
        if not named[account] and not transition.quiet and now - transition.seen_at < NAMES_WITHIN:
            break
        ready.append((sequence, transition))
    return tuple(ready)


def _decided_on_all(
    connection: Connection,
    settings: Settings,
    ready: Sequence[tuple[int, Transition]],
    holding: Holding,
    *,
    now: datetime,
) -> dict[str, Alert]:
    """Answer with the alerts that transitions changed and that are not held back."""
    changed: dict[str, Alert] = {}
    if not ready:
        return changed
    known = known_at_first(connection, settings, begin=ready[0][0] - 1)
    enriching = Enriching(connection=connection, settings=settings, now=now)

    for transition, alert in _changes(connection, settings, ready, known, enriching=enriching):
        save_alerts(connection, [alert])
        if is_shared(alert):
            known.note(alert)
        # One that is still pending, or ended so, is told to nobody.
        if not holding.keeps(connection, transition, alert) and alert.due_at is None:
            changed[alert.id] = alert
    save_cursor(connection, CURSOR, ready[-1][0])
    return changed


def _changes(
    connection: Connection,
    settings: Settings,
    ready: Sequence[tuple[int, Transition]],
    known: Known,
    *,
    enriching: Enriching,
) -> Iterator[tuple[Transition, Alert]]:
    """Give what each transition changes; it is saved before the next one is decided on."""
    for sequence, transition in ready:
        for alert in _decided(
            connection, settings, transition, sequence, known=known, enriching=enriching
        ):
            yield transition, alert
        for alert in decide_on_step(connection, settings, transition, known.watched_from):
            yield transition, alert
    yield from decide_on_measures(connection, settings, ready, known.watched_from)


def _decided(
    connection: Connection,
    settings: Settings,
    transition: Transition,
    sequence: int,
    *,
    known: Known,
    enriching: Enriching,
) -> tuple[Alert, ...]:
    account, subject = transition.account, transition.subject
    if transition.quiet or transition.phase not in ENDS or subject is None:
        return ()
    ongoing = (
        *ongoing_alerts(connection, account, transition.kind, subject),
        *known.shared_of(account),
    )
    if transition.phase is Phase.SUCCEEDED and not ongoing:
        return ()  # nearly all that is decided on: nothing to end, so nothing else is asked
    circumstances = circumstances_of(
        connection, settings, transition, subject=subject, place=sequence, known=known
    )
    if circumstances is None:
        return ()  # seen before its name was known
    changed = changed_alerts(
        transition,
        ongoing,
        settings.rules,
        ownership=settings.ownership,
        circumstances=circumstances,
    )
    enriched = enriching.enriched(transition, changed, ongoing, circumstances)
    superseded = superseded_by_its_plan(transition, ongoing, enriched)
    return tuple({alert.id: alert for alert in (*enriched, *superseded)}.values())


def _openings(connection: Connection, settings: Settings, now: datetime) -> Iterable[Alert]:
    """Give the opening digest of each account whose history is read and that was not told of."""
    for account in accounts_with_history_read(connection) & settings.accounts.keys():
        mark = watching_mark(account)
        if cursor(connection, mark) or not cursor(connection, names_cursor(account)):
            continue
        save_cursor(connection, mark, 1)
        yield _opening(account, failing(connection, account), settings, now=now)


def _opening(account: AccountName, stand: Failing, settings: Settings, *, now: datetime) -> Alert:
    oldest = f", the oldest since {stand.oldest:%-d %B %Y}" if stand.oldest else ""
    broken = f"{stand.failing:,} of them failing{oldest}" if stand.failing else "none failing"
    return opened(
        WATCHING,
        Concern(account=account),
        f"Now watching {account}: {stand.tasks:,} tasks and {stand.plans:,} plans, {broken}.",
        id_=alert_id(WATCHING.name, account, now.isoformat()),
        starts_at=now,
        ownership=settings.ownership,
        now=now,
    )
