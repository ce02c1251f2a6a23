"""Enriching the alerts of bad ends: what is usual, what else fails, and whether it gets worse."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tmcwatch.alerting.settings import Settings
from tmcwatch.domain.alert import Alert, AlertId, EndReason
from tmcwatch.domain.describing import Background, described
from tmcwatch.domain.episode import Circumstances
from tmcwatch.domain.execution import BAD_ENDS, Phase, SubjectId, Transition
from tmcwatch.domain.rule import After, Rule, rule_named
from tmcwatch.domain.standing import Standing
from tmcwatch.domain.usual import PastRun
from tmcwatch.domain.worsening import (
    FAILING_AGAIN,
    FLAPPING,
    calmer,
    carried_over,
    flapping,
    is_flapping,
    raised_by_failures,
)
from tmcwatch.store.engine import Connection
from tmcwatch.store.recent import (
    Repeated,
    SameError,
    episodes_before,
    errors_since,
    past_runs,
    repeated_since,
)

MOST_USUAL = 100
"""Bad ends of one round that are compared with the usual: in a storm nobody reads the others'."""

SAME_WITHIN = timedelta(hours=1)


@dataclass(slots=True, kw_only=True)
class Enriching:
    """What one round asks of the store, and what it need not ask twice."""

    connection: Connection
    settings: Settings
    now: datetime
    _asked: int = field(default=0, init=False)
    _repeated: dict[After, set[Repeated]] = field(default_factory=dict, init=False)
    _errors: Mapping[SameError, int] | None = field(default=None, init=False)

    def enriched(
        self,
        transition: Transition,
        changed: Iterable[Alert],
        ongoing: Iterable[Alert],
        circumstances: Circumstances,
        /,
    ) -> tuple[Alert, ...]:
        """Answer with alerts as `transition` changed them, and what else is to be said of them.

        `ongoing` are those that were open before.
        """
        before = {alert.id: alert for alert in ongoing}
        if transition.phase is Phase.SUCCEEDED:
            return tuple(self._calmer(transition, changed, before))
        if transition.phase not in BAD_ENDS:
            return tuple(changed)
        background = Background(
            engine=circumstances.engine,
            started_at=circumstances.started_at,
            standing=circumstances.standing,
            runs=self._runs(transition),
            same_error=self._others_with_error(transition),
        )
        return tuple(self._worse(transition, changed, before, background))

    def _calmer(
        self, transition: Transition, changed: Iterable[Alert], before: Mapping[AlertId, Alert]
    ) -> Iterator[Alert]:
        """Give what a success ends, but what is flapping only once it has become calm."""
        for alert in changed:
            known = before.get(alert.id)
            rule = self._rule(FLAPPING, alert)
            recovers = alert.end_reason is EndReason.RECOVERED and transition.corrects is None
            # What ended before it counted is told to nobody, however often it comes back.
            recovers = recovers and alert.due_at is None
            if known is None or rule is None or not recovers or not is_flapping(known):
                yield alert
            else:
                yield calmer(known, rule, now=transition.seen_at) or alert

    def _worse(
        self,
        transition: Transition,
        changed: Iterable[Alert],
        before: Mapping[AlertId, Alert],
        background: Background,
    ) -> Iterator[Alert]:
        for alert in changed:
            is_new = alert.id not in before
            if not is_new and alert.ends_at is not None:
                yield alert
                continue
            if alert.annotations.get("latest_execution_id") == transition.execution:
                alert = described(alert, transition, background)  # noqa: PLW2901 - step by step
            yield self._raised(alert, before.get(alert.id), background.standing)

    def _raised(self, alert: Alert, before: Alert | None, standing: Standing) -> Alert:
        if before is not None:
            alert = carried_over(alert, before)
        again, flaps = self._rule(FAILING_AGAIN, alert), self._rule(FLAPPING, alert)
        if alert.ends_at is None and again is not None:
            alert = raised_by_failures(alert, again, failures=standing.consecutive_failures)
        if before is None and flaps is not None and flaps.after is not None:
            episodes = self._episodes(alert, flaps.after)
            if alert.ends_at is None:
                alert = flapping(alert, flaps, flaps.after, episodes=episodes)
        return alert

    def _episodes(self, alert: Alert, after: After) -> int:
        """Answer with how many alerts like this new one have opened lately, itself included.

        What has come back is asked once for a round; only of that it is asked how often.
        """
        if after not in self._repeated:
            since = self.now - after.within
            self._repeated[after] = repeated_since(self.connection, since, after.count - 1)
        like_it = Repeated.by(alert)
        is_known = like_it in self._repeated[after]
        self._repeated[after].add(like_it)
        if not is_known:
            return 1
        return 1 + episodes_before(self.connection, alert, alert.opened_at - after.within)

    def _runs(self, transition: Transition) -> tuple[PastRun, ...]:
        self._asked += 1
        if self._asked > MOST_USUAL:
            return ()
        subject = transition.subject or SubjectId("")
        return past_runs(self.connection, transition.account, transition.kind, subject)

    def _others_with_error(self, transition: Transition) -> int:
        if not transition.error:
            return 0
        if self._errors is None:
            self._errors = errors_since(self.connection, self.now - SAME_WITHIN)
        same = SameError(transition.account, transition.kind, transition.error)
        return max(self._errors.get(same, 0) - 1, 0)

    def _rule(self, name: str, alert: Alert) -> Rule | None:
        rule = rule_named(self.settings.rules, name, alert.labels)
        return rule if rule is not None and rule.enabled else None
