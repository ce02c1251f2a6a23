"""What must be known beside the end of a run to decide on it, as the store tells it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tmcwatch.alerting.linking import link_to
from tmcwatch.alerting.log_places import LogPlaces
from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert, AlertId
from tmcwatch.domain.episode import Circumstances
from tmcwatch.domain.execution import AccountName, ExecutionId, Kind, Phase, SubjectId, Transition
from tmcwatch.domain.rule import About, Rule
from tmcwatch.domain.scope import EVERYTHING
from tmcwatch.domain.standing import NEVER_RAN
from tmcwatch.store.alerts import shared_alerts
from tmcwatch.store.capture import skews, watched_since
from tmcwatch.store.engine import Connection
from tmcwatch.store.executions import first_success_after
from tmcwatch.store.rule_watches import rules_watched_from
from tmcwatch.store.runs import good_run_since, last_ends, place_of, recent_runs
from tmcwatch.store.subjects import load_subjects, unnamed

LOOK_BACK = timedelta(days=35)
"""How old the runs may be that are counted in a row."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Known:
    """What a round knows from its beginning, and keeps up to date as it decides."""

    watched_from: Mapping[str, datetime]
    """When each rule began to be watched, on our clock."""
    skews: Mapping[AccountName, timedelta]
    """How far TMC's clock is ahead of ours."""
    shared: dict[AlertId, Alert]
    """The open alerts that are about an engine or an account and not about one task or plan."""
    places: LogPlaces

    def shared_of(self, account: AccountName) -> tuple[Alert, ...]:
        if not self.shared:
            return ()  # as nearly always
        return tuple(alert for alert in self.shared.values() if alert.labels["account"] == account)

    def watched_by(self, account: AccountName) -> Mapping[str, datetime]:
        """Answer with when each rule began to be watched, in TMC's time."""
        skew = self.skews.get(account, timedelta())
        return {rule: moment + skew for rule, moment in self.watched_from.items()}

    def note(self, alert: Alert) -> None:
        """Keep in mind what became of an alert that may be shared."""
        if alert.ends_at is not None:
            self.shared.pop(alert.id, None)
        else:
            self.shared[alert.id] = alert


def known_at_first(connection: Connection, settings: Settings, *, begin: int) -> Known:
    """Answer with what a round that decides on anything begins with: the log from `begin` on."""
    sharing = {rule.name for rule in settings.rules if rule.about is not About.SUBJECT}
    return Known(
        watched_from=rules_watched_from(connection),
        skews=skews(connection),
        shared={alert.id: alert for alert in shared_alerts(connection, sharing)},
        places=LogPlaces(connection=connection, begin=begin),
    )


def circumstances_of(
    connection: Connection,
    settings: Settings,
    transition: Transition,
    *,
    subject: SubjectId,
    place: int,
    known: Known,
) -> Circumstances | None:
    """Answer with all that counts for an end that stands at `place` in the log.

    None for a subject that is outside of what is watched.
    """
    account, kind = transition.account, transition.kind
    found = load_subjects(connection, account, kind, [subject]).get(subject)
    names = found[0] if found else unnamed(subject, kind)
    if not settings.scopes.get(account, EVERYTHING).includes(names):
        return None
    where = place_of(connection, account, kind, transition.execution)
    circumstances = Circumstances(
        subject=names,
        standing=found[1] if found else NEVER_RAN,
        success_after=None,
        link="",
        engine=where.engine,
        plan=where.plan if kind is Kind.TASK else None,
        started_at=where.started_at,
        watched_from=known.watched_by(account),
    )
    if transition.phase is Phase.SUCCEEDED:
        return circumstances
    was_told = known.places.standing_before(place, account, kind)
    return _of_bad_end(connection, settings, transition, circumstances, was_told=was_told)


def _of_bad_end(
    connection: Connection,
    settings: Settings,
    transition: Transition,
    circumstances: Circumstances,
    *,
    was_told: Callable[[ExecutionId], bool],
) -> Circumstances:
    last_success = circumstances.standing.last_success_at
    account, kind, subject = transition.account, transition.kind, circumstances.subject
    # Asked only where a newer success is known; the log says whether it was seen before this end.
    after = (
        first_success_after(
            connection,
            account,
            kind,
            subject=subject.id,
            moment=transition.at,
            seen_at=transition.seen_at,
            was_told=was_told,
        )
        if last_success is not None and last_success >= transition.at
        else None
    )
    rules = tuple(rule for rule in settings.rules if rule.matches(transition))
    circumstances = replace(
        circumstances,
        success_after=after,
        link=link_to(settings, account, subject, transition.execution),
        broken_tasks=_broken_tasks(connection, transition),
        shared_success=_shared_success(connection, transition, rules, circumstances.engine),
    )
    counting = tuple(rule for rule in rules if rule.counts)
    if not counting:
        return circumstances
    return _counted(connection, transition, counting, circumstances, was_told=was_told)


def _shared_success(
    connection: Connection, transition: Transition, rules: Iterable[Rule], engine: str | None
) -> datetime | None:
    abouts = {rule.about for rule in rules} - {About.SUBJECT}
    if not abouts:
        return None
    return good_run_since(
        connection,
        transition.account,
        transition.kind,
        engine=engine if About.ENGINE in abouts else None,
        moment=transition.at,
    )


def _counted(
    connection: Connection,
    transition: Transition,
    rules: Iterable[Rule],
    circumstances: Circumstances,
    *,
    was_told: Callable[[ExecutionId], bool],
) -> Circumstances:
    """Add what rules count by: earlier ends, none from before the account was watched."""
    account, kind, subject = transition.account, transition.kind, circumstances.subject.id
    rules = tuple(rules)
    back = max(rule.after.within if rule.after else LOOK_BACK for rule in rules)
    watched = watched_since(connection, account, kind) or _LONG_AGO
    return replace(
        circumstances,
        recent=recent_runs(
            connection, transition, since=max(watched, transition.at - back), was_told=was_told
        ),
        counted_from=last_ends(
            connection, account, kind, subject=subject, rules={rule.name for rule in rules}
        ),
    )


def _broken_tasks(connection: Connection, transition: Transition) -> tuple[str, ...]:
    tasks = transition.breakage.tasks if transition.breakage else ()
    found = load_subjects(connection, transition.account, Kind.TASK, tasks) if tasks else {}
    return tuple(found[task][0].name if task in found else task for task in tasks)
