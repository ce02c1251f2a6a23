"""The shipped rules hold, by promtool and by our metrics."""

import re

import pytest
import yaml

from tests.deploy.expressions import labels_of
from tests.deploy.manifests import ROOT
from tests.deploy.rules import RULES, SHIPPED, TESTS, rules_in

EVERY = [rule for path in RULES for rule in rules_in(path)]
ABOUT_ITSELF = [rule for rule in rules_in(SHIPPED / "rules/tmcwatch.yaml") if rule.is_alert]
ALERTS = [rule for rule in EVERY if rule.is_alert]
RECORDED = {rule.name: rule for rule in EVERY if not rule.is_alert}
SCRAPED = {"job", "instance", "namespace", "pod"}
"""Labels that Prometheus adds."""
FOREIGN = {
    "up": SCRAPED,
    "process_start_time_seconds": SCRAPED,
    "ALERTS": {"alertname", "alertstate", "account", "namespace"},
}


def labels_found(metric: str) -> set[str]:
    """Answer with the labels that Prometheus knows of a metric; a KeyError names what is not."""
    if metric in RECORDED:
        rule = RECORDED[metric]
        return rule.grouping or set.union(*map(labels_found, rule.metrics))
    return FOREIGN[metric] if metric in FOREIGN else labels_of(metric) | SCRAPED


def test_promtool_takes_every_file(promtool):
    promtool("check", "rules", *map(str, RULES))
    promtool("check", "config", str(SHIPPED / "prometheus.yaml"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_rules_fire_and_hold_still_as_their_tests_say(promtool, path):
    promtool("test", "rules", str(path))


def test_each_alert_is_tested_to_fire_and_to_hold_still():
    tests = [yaml.safe_load(path.read_text())["tests"] for path in TESTS]
    checks = [check for each in tests for test in each for check in test["alert_rule_test"]]
    for is_told in (True, False):
        tested = {one["alertname"] for one in checks if bool(one["exp_alerts"]) is is_told}
        assert tested == {alert.name for alert in ALERTS}


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.name)
def test_a_rule_names_only_metrics_and_labels_that_exist(rule):
    assert rule.selectors
    for selector in rule.selectors:
        named = {matcher.name for matcher in selector.matchers.matchers}
        assert named <= labels_found(selector.name), selector
    known = set.union(*map(labels_found, rule.metrics))
    assert rule.grouping | rule.told <= known


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_it_is_and_how_bad(alert):
    assert alert.severity in {"critical", "warning", "info"}
    assert set(alert.texts) - {"runbook"} == {"summary", "description"}
    assert alert.wait


@pytest.mark.parametrize("alert", ABOUT_ITSELF, ids=lambda alert: alert.name)
def test_an_alert_about_tmcwatch_names_the_chapter_that_says_what_to_do(alert):
    path, _, anchor = alert.texts["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
