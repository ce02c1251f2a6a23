"""What no alert of a config has: labels and values that are mistyped, so that nobody is told."""

from collections.abc import Iterable, Iterator, Mapping

from tmcwatch.config import Config, rules_of
from tmcwatch.config.model import ChildRoute
from tmcwatch.config.problems import suggestion
from tmcwatch.config.values import RESERVED_LABELS
from tmcwatch.domain.alert import Severity
from tmcwatch.domain.built_in import WATCHING
from tmcwatch.domain.choosing import OF_SUBJECTS
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.matcher import Matcher, Operator
from tmcwatch.domain.rule import rule_named

_KINDS = (*(kind.value for kind in Kind), "account", "engine", "receiver", "silence")
_ALL = "..."
_OF_ALERTS = frozenset({"alertname", "rule", "severity"})
"""Labels that a run does not have, as it is a rule that gives them."""


def doubts(config: Config, given: Mapping[str, str]) -> Iterator[str]:
    """Give what no alert has of these labels, as far as the config tells."""
    for name in given:
        yield from _unknown_label(name, _labels(config))
    for name, value in given.items():
        yield from _unknown_value(name, value, config)
    rules = (*rules_of(config), WATCHING)
    rule = rule_named(rules, given.get("rule") or given.get("alertname") or "", given)
    if rule is not None and not rule.enabled:
        yield f"the rule {rule.name} is switched off"


def written_doubts(config: Config) -> Iterator[tuple[str, str]]:
    """Give the keys of a config that ask for what no alert has, each with why."""
    known = _labels(config)
    for key, matchers in _conditions(config):
        about = _ABOUT.get(key.partition("[")[0].partition(".")[0], _about)
        for place, matcher in enumerate(matchers):
            for doubt in about(matcher, known, config):
                yield f"{key}[{place}]", doubt
    for key, names in _groupings(config):
        for place, name in enumerate(names):
            for doubt in _unknown_label(name, known | {_ALL}):
                yield f"{key}[{place}]", doubt


def _about(matcher: Matcher, known: frozenset[str], config: Config) -> Iterator[str]:
    yield from _unknown_label(matcher.label, known)
    if matcher.operator is Operator.EQUAL and matcher.value:
        yield from _unknown_value(matcher.label, matcher.value, config)


def _about_a_run(matcher: Matcher, known: frozenset[str], config: Config) -> Iterator[str]:
    if matcher.label in _OF_ALERTS:
        yield f"no run has the label {matcher.label}, which a rule gives to its alerts"
    else:
        yield from _about(matcher, known, config)


def _about_a_subject(matcher: Matcher, known: frozenset[str], config: Config) -> Iterator[str]:
    if matcher.label in RESERVED_LABELS - OF_SUBJECTS:
        yield f"no task or plan has the label {matcher.label}, only its runs or alerts may"
    else:
        yield from _about(matcher, known, config)


_ABOUT = {"rules": _about_a_run, "metrics": _about_a_subject}


def _unknown_label(name: str, known: frozenset[str]) -> Iterator[str]:
    if name not in known:
        yield f"no alert has the label {name}.{suggestion(name, known)}"


def _unknown_value(label: str, value: str, config: Config) -> Iterator[str]:
    names = [rule.name for rule in (*rules_of(config), WATCHING)]
    choices: Mapping[str, Iterable[str]] = {
        "rule": names,
        "alertname": names,
        "severity": [severity.value for severity in Severity],
        "account": [account.name for account in config.accounts],
        "kind": _KINDS,
    }
    what = "rule" if label == "alertname" else label
    allowed = list(dict.fromkeys(choices.get(label, (value,))))
    if value not in allowed:
        yield f"there is no {what} {value!r}.{suggestion(value, allowed)}"


def _labels(config: Config) -> frozenset[str]:
    rules = (*rules_of(config), WATCHING)
    added = [owner.labels for owner in config.labels] + [rule.labels for rule in rules]
    return RESERVED_LABELS.union(*added)


def _conditions(config: Config) -> Iterator[tuple[str, tuple[Matcher, ...]]]:
    for key, branch in _branches("route", config.route.routes):
        yield f"{key}.matchers", branch.matchers
    for place, owner in enumerate(config.labels):
        yield f"labels[{place}].matchers", owner.matchers
    for place, rule in enumerate(config.rules):
        yield f"rules[{place}].matchers", rule.matchers
    yield "metrics.detail", config.metrics.detail
    for place, one in enumerate(config.maintenance):
        yield f"maintenance[{place}].matchers", one.matchers
    for place, inhibition in enumerate(config.inhibit_rules):
        yield f"inhibit_rules[{place}].source_matchers", inhibition.source_matchers
        yield f"inhibit_rules[{place}].target_matchers", inhibition.target_matchers


def _groupings(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "route.group_by", config.route.group_by
    for key, branch in _branches("route", config.route.routes):
        yield f"{key}.group_by", branch.group_by or ()
    for place, inhibition in enumerate(config.inhibit_rules):
        yield f"inhibit_rules[{place}].equal", inhibition.equal


def _branches(key: str, routes: Iterable[ChildRoute]) -> Iterator[tuple[str, ChildRoute]]:
    for place, route in enumerate(routes):
        here = f"{key}.routes[{place}]"
        yield here, route
        yield from _branches(here, route.routes)
