"""Inhibition: an alert that follows from another one is not told while that explains it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert, AlertId, Severity
from tmcwatch.domain.built_in import LASTING, NOTICES
from tmcwatch.domain.matcher import Matcher, all_match, matcher_from

MARGIN = timedelta(minutes=5)
"""How long before the cause was noticed, and after it was over, things still break by it."""

REMEMBERED = timedelta(days=7)
"""How long a cause that is over still explains what broke while it lasted."""

PLAN = "plan"
"""The annotation by which an alert of a task names the plan that the task ran in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """Which alerts follow from which: an entry of the config, or a line of the topology."""

    sources: tuple[Matcher, ...]
    targets: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    """Labels that both have alike; one that is missing is empty."""
    part_of: str = ""
    """The target's annotation that names the source's subject; empty where none has to."""

    def shared_by_source(self, source: Alert) -> tuple[str, ...]:
        owner = (source.labels.get("id", ""),) if self.part_of else ()
        return (*self._equal(source), *owner)

    def shared_by_target(self, target: Alert) -> tuple[str, ...]:
        owner = (target.annotations.get(self.part_of, ""),) if self.part_of else ()
        return (*self._equal(target), *owner)

    def _equal(self, alert: Alert) -> tuple[str, ...]:
        return tuple(alert.labels.get(label, "") for label in self.equal)


def topology(*, inside_plans: Iterable[str] = ()) -> tuple[Inhibition, ...]:
    """Answer with what follows from what by the way TMC is built.

    States of what cannot be seen are only reckoned. What is found to have happened meanwhile is no
    effect of our not seeing it, and is told. `inside_plans` are the rules that are wanted
    of tasks besides what their plan tells.
    """
    states = f'rule=~"{"|".join(sorted(LASTING))}"'
    of_engines = 'rule=~"failed|deploy_failed|shut_down|stuck|misfired"'
    asked_for = f'rule!~"{"|".join(re.escape(rule) for rule in sorted(inside_plans))}"'
    return (
        _line(['rule="account_unauthorized"'], [states], equal=("account",)),
        _line(['rule="blind"'], [states], equal=("account", "kind")),
        _line(
            ['rule="misfired_engine"', 'engine!=""'],
            [of_engines, 'kind="task"'],
            equal=("account", "engine"),
        ),
        _line(
            ['rule=~"plan_failed|plan_step_failed"', 'id!=""'],
            ['kind="task"', asked_for],
            equal=("account",),
            part_of=PLAN,
        ),
    )


def _line(
    sources: Iterable[str], targets: Iterable[str], *, equal: tuple[str, ...], part_of: str = ""
) -> Inhibition:
    return Inhibition(
        sources=tuple(matcher_from(text) for text in sources),
        targets=tuple(matcher_from(text) for text in targets),
        equal=equal,
        part_of=part_of,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which alerts may be causes, first as far as rule and severity tell, then by all labels."""

    rules: frozenset[str]
    severities: frozenset[Severity]
    matchers: tuple[Matcher, ...]

    def includes(self, labels: Mapping[str, str]) -> bool:
        return all_match(self.matchers, labels)


def sought(inhibitions: Iterable[Inhibition], rules: Iterable[str]) -> tuple[Sought, ...]:
    """Answer with which alerts, of these rules, are worth loading."""
    rules = tuple(rules)
    found = (
        Sought(
            rules=frozenset(rule for rule in rules if _may_be(inhibition, rule)),
            severities=frozenset(
                severity
                for severity in Severity
                if _fits(inhibition.sources, "severity", severity.value)
            ),
            matchers=inhibition.sources,
        )
        for inhibition in inhibitions
    )
    return tuple(each for each in found if each.rules and each.severities)


def _may_be(inhibition: Inhibition, rule: str) -> bool:
    return all(_fits(inhibition.sources, label, rule) for label in ("rule", "alertname"))


def _fits(matchers: Iterable[Matcher], label: str, value: str) -> bool:
    return all_match((each for each in matchers if each.label == label), {label: value})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    alert: Alert
    is_target_too: bool
    start: datetime
    end: datetime | None

    def explains(
        self, target: Alert, occurred: datetime, moment: datetime, *, is_known: bool
    ) -> bool:
        """Tell whether `target`, which last occurred then, is not to be told at `moment`.

        A state is explained while the cause fires, a verdict if its run broke while it did. The
        end of what is known to fire waits for the end of the cause at most.
        """
        if is_known and target.ends_at is not None:
            return self.alert.opened_at <= moment and self.end is None
        if target.rule in LASTING or target.rule in NOTICES:
            return self.alert.opened_at <= moment and self._fires(target, moment)
        return self.start <= occurred and (self.end is None or occurred <= self.end)

    def _fires(self, target: Alert, moment: datetime) -> bool:
        if self.end is None:
            return True
        # Over together: what the cause explained until then needs no word any more.
        return target.ends_at is not None and self.alert.changed_at >= moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """The alerts that may explain others, ready to be asked for thousands of these."""

    found: tuple[tuple[Inhibition, Mapping[tuple[str, ...], Sequence[_Cause]]], ...] = ()

    def cause_of(
        self, target: Alert, moment: datetime, *, is_known: bool = False
    ) -> AlertId | None:
        """Answer with an alert that explains `target`, None where none does.

        `is_known` says that it was told before.
        """
        for inhibition, causes in self.found:
            likely = causes.get(inhibition.shared_by_target(target), ())
            if not likely or not all_match(inhibition.targets, target.labels):
                continue
            is_source_too = all_match(inhibition.sources, target.labels)
            occurred = occurred_at(target)
            for cause in likely:
                # Of two that could explain each other neither does, as in Alertmanager.
                is_mutual = is_source_too and cause.is_target_too
                if not is_mutual and cause.explains(target, occurred, moment, is_known=is_known):
                    return cause.alert.id
        return None


def causes_among(inhibitions: Iterable[Inhibition], alerts: Iterable[Alert]) -> Causes:
    """Sort `alerts` by what they may explain, in their order."""
    alerts = tuple(alerts)
    found = []
    for inhibition in inhibitions:
        causes: defaultdict[tuple[str, ...], list[_Cause]] = defaultdict(list)
        for alert in alerts:
            if all_match(inhibition.sources, alert.labels):
                causes[inhibition.shared_by_source(alert)].append(_cause(inhibition, alert))
        if causes:
            found.append((inhibition, dict(causes)))
    return Causes(found=tuple(found))


def _cause(inhibition: Inhibition, alert: Alert) -> _Cause:
    return _Cause(
        alert=alert,
        is_target_too=all_match(inhibition.targets, alert.labels),
        start=alert.starts_at - MARGIN,
        end=None if alert.ends_at is None else alert.ends_at + MARGIN,
    )


def occurred_at(alert: Alert) -> datetime:
    """Answer with when it happened last: the end of its newest run, or since when it lasts."""
    latest = alert.annotations.get("latest_at")
    return alert.starts_at if latest is None else datetime.fromisoformat(latest)
