"""The rules of a configuration, as the domain wants them."""

from collections.abc import Iterator
from dataclasses import replace

from tmcwatch.config.model import Config
from tmcwatch.config.rule_settings import RuleSetting
from tmcwatch.domain.alert import Severity
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.execution import BAD_ENDS, Kind, Phase
from tmcwatch.domain.limits import Limits
from tmcwatch.domain.rule import After, Rule


def rules_of(config: Config) -> tuple[Rule, ...]:
    """Answer with all rules; of those with one name the first whose matchers match holds."""
    return tuple(_rules(config))


def _rules(config: Config) -> Iterator[Rule]:
    settings = config.every_rule
    for name, rule in BUILT_IN.items():
        changes = [setting for setting in settings if setting.rule == name]
        yield from (_changed(rule, setting) for setting in changes)
        if all(setting.matchers for setting in changes):
            yield rule
    yield from (_own(setting.name, setting) for setting in settings if setting.name)


def _own(name: str, setting: RuleSetting) -> Rule:
    phases = frozenset(Phase(phase) for phase in setting.phases or BAD_ENDS)
    rule = Rule(name=name, severity=Severity.WARNING, phases=phases)
    if setting.kinds:
        rule = replace(rule, kinds=frozenset(Kind(kind) for kind in setting.kinds))
    return _changed(rule, setting)


def _changed(rule: Rule, setting: RuleSetting) -> Rule:
    """Answer with a rule and what is set of it; what is not set stays."""
    return replace(
        _counting(rule, setting),
        matchers=setting.matchers,
        enabled=rule.enabled if setting.enabled is None else setting.enabled,
        severity=setting.severity or rule.severity,
        manual_severity=None if setting.severity else rule.manual_severity,
        for_=rule.for_ if setting.for_ is None else setting.for_,
        labels=setting.labels,
        text=setting.text or rule.text,
        inside_plans=rule.inside_plans if setting.inside_plans is None else setting.inside_plans,
        limits=_limits(rule.limits, setting),
    )


def _limits(limits: Limits, setting: RuleSetting) -> Limits:
    return Limits(
        waiting=limits.waiting if setting.waiting is None else setting.waiting,
        stopping=limits.stopping if setting.stopping is None else setting.stopping,
        delay=limits.delay if setting.delay is None else setting.delay,
        ratio=limits.ratio if setting.ratio is None else setting.ratio,
        calm_after=limits.calm_after if setting.calm_after is None else setting.calm_after,
    )


def _counting(rule: Rule, setting: RuleSetting) -> Rule:
    """Answer with a rule that counts as it is set to: one way of counting replaces the other."""
    if setting.after is not None:
        after = After(count=setting.after.count, within=setting.after.within)
        return replace(rule, after=after, in_a_row=1)
    if setting.in_a_row is not None:
        return replace(rule, after=None, in_a_row=setting.in_a_row)
    return rule
