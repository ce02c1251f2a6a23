"""The shipped rules hold: by promtool, by our metrics, and in a Prometheus that scrapes."""

import subprocess

import pytest
import yaml

from tests.deploy.expressions import labels_of
from tests.deploy.rules import RULES, SHIPPED, TESTS, rules_in
from tests.deploy.scraped import staged
from tests.process.debian import program
from tests.process.processes import eventually

EVERY = [rule for path in RULES for rule in rules_in(path)]
ALERTS = [rule for rule in EVERY if rule.is_alert]
RECORDED = {rule.name: rule for rule in EVERY if not rule.is_alert}
SCRAPED = {"job", "instance", "pod"}
"""Labels that Prometheus adds."""
FOREIGN: dict[str, set[str]] = {"up": SCRAPED, "process_start_time_seconds": SCRAPED}

UNBORN = {
    'tmcwatch_api_requests_total{operation="oauth_token",code=~"400|403"}': "no service account",
}
"""Selectors without data on the stage, and why."""


@pytest.fixture(scope="session")
def promtool():
    path = program("promtool", package="prometheus")

    def check(*words: str, text: str = "") -> None:
        done = subprocess.run(
            [path, *words], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return check


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
    assert set(alert.texts) == {"summary", "description"}
    assert alert.wait


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with staged(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture(scope="module")
def calm(stage):
    """Wait until it is known that all is well, and answer with what fires all the same."""
    about_itself = "|".join(rule.name for rule in rules_in(SHIPPED / "rules/tmcwatch.yaml"))
    stage.until("tmcwatch_head_timestamp_seconds")
    eventually(lambda: not stage.asked('ALERTS{alertname="TmcwatchDown"}'))
    return stage.asked(f'ALERTS{{alertname=~"{about_itself}"}}')


@pytest.fixture(scope="module")
def troubled(stage, calm):  # noqa: ARG001 - only once it was seen that all was well
    """Let happen what the rules are about; answers with the name of the task that failed."""
    stage.run(0, "EXECUTION_SUCCESS")
    failed = stage.run(3, "EXECUTION_FAILED")
    stage.until('increase(tmcwatch_workspace_executions_total{result="failed"}[1m]) > 0')
    stage.until("tmcwatch_last_success_timestamp_seconds and tmcwatch_consecutive_failures == 0")
    stage.until("tmcwatch_outbox_oldest_timestamp_seconds")
    stage.fault("unknown_status", is_on=True)
    stage.run(1, "EXECUTION_SUCCESS")
    stage.until("tmcwatch_unrecognised_statuses_total")
    stage.fault("revoked_token", is_on=True)
    stage.until('tmcwatch_api_requests_total{code="401"}')
    return failed


def test_promtool_takes_what_is_scraped(promtool, stage):
    promtool("check", "metrics", text=stage.daemon.answer("/metrics").text)


def test_no_rule_fires_about_a_daemon_that_is_well(calm):
    assert calm == []


@pytest.mark.usefixtures("troubled")
def test_every_rule_can_be_asked_and_everything_it_asks_for_is_there(stage):
    for rule in EVERY:
        stage.asked(rule.expression)
    selectors = {
        f"{one.name}{one.matchers}".removesuffix("{}") for rule in EVERY for one in rule.selectors
    }
    assert {one for one in selectors if not stage.asked(one)} == set(UNBORN)


def test_a_failed_task_travels_through_prometheus_and_alertmanager_as_one_alert(stage, troubled):
    told = eventually(lambda: stage.told(alertname="TmcwatchTaskFailing", name=troubled))
    assert {alert["fingerprint"] for alert in told} == {told[0]["fingerprint"]}
    assert troubled in told[0]["annotations"]["description"]
    assert told[0]["labels"]["severity"] == "warning"


@pytest.mark.usefixtures("troubled")
def test_a_refused_token_is_told_with_the_account(stage):
    assert eventually(lambda: stage.told(alertname="TmcwatchUnauthorized", account="prod"))
