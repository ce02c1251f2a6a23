"""In a Prometheus that scrapes, all is asked and answered, and what goes wrong is told."""

import pytest

from tests.deploy.dashboards.asked import choices, queries, with_exemplars
from tests.deploy.expressions import compared
from tests.deploy.rules import RULES, SHIPPED, rules_in
from tests.deploy.scraped import PAGE, staged
from tests.process.processes import eventually

EVERY = [rule for path in RULES for rule in rules_in(path)]
ABOUT_ITSELF = [rule.name for rule in rules_in(SHIPPED / "rules/tmcwatch.yaml")]
ABOUT_THE_MACHINE = {"TmcwatchDown", "TmcwatchLooksLate"}
"""Whether scrapes and looks come each second says here how busy the machine is."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with staged(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture(scope="module")
def calm(stage):
    """Wait until it is known that all is well, and answer with what fires all the same."""
    names = "|".join({*ABOUT_ITSELF} - ABOUT_THE_MACHINE)
    stage.until("tmcwatch_head_timestamp_seconds")
    eventually(lambda: not stage.asked('ALERTS{alertname="TmcwatchDown"}'))
    return stage.asked(f'ALERTS{{alertname=~"{names}"}}')


@pytest.fixture(scope="module")
def troubled(stage, calm):  # noqa: ARG001 - only once it was seen that all was well
    """Let happen what rules and panels are about; answers with the name of a failed task."""
    stage.run(0, "EXECUTION_SUCCESS")
    stage.run(4, "DEPLOY_FAILED", reason="PARALLEL_EXECUTION_FORBIDDEN")
    failed = stage.run(3, "EXECUTION_SUCCESS")
    stage.until(f"{succeeded(failed)} > time() - 600")
    stage.run(3, "EXECUTION_FAILED")
    stage.until('increase(tmcwatch_workspace_executions_total{result="failed"}[1m]) > 0')
    stage.until("increase(tmcwatch_misfires_total[1m]) > 0")
    stage.until("tmcwatch_outbox_oldest_timestamp_seconds")
    for _ in range(PAGE + 1):  # of one page the order says nothing
        stage.run(2, "EXECUTION_SUCCESS", lasts=3600)
    stage.fault("unstable_order")
    stage.until("increase(tmcwatch_window_rereads_total[1m]) > 0")
    stage.fault("unstable_order", is_on=False)
    stage.fault("unknown_status")
    stage.run(1, "EXECUTION_SUCCESS")
    stage.until("tmcwatch_unrecognised_statuses_total")
    stage.fault("forbidden", on="/security/oauth/token")
    stage.fault("revoked_token", on="/processing")
    stage.until('tmcwatch_api_requests_total{code="401"}')
    stage.until('tmcwatch_api_requests_total{operation="oauth_token",code="403"}')
    return failed


def succeeded(name: str) -> str:
    return (
        "tmcwatch_last_success_timestamp_seconds "
        f'* on (id, instance, pod) group_left () tmcwatch_task_info{{name="{name}"}}'
    )


def test_no_rule_fires_about_a_daemon_that_is_well(calm):
    assert calm == []


@pytest.mark.usefixtures("troubled")
def test_each_query_of_each_panel_and_variable_returns_data(stage):
    assert stage.without_data({query.expr for query in [*queries(), *choices()]}) == []


@pytest.mark.usefixtures("troubled")
def test_each_recording_returns_data(stage):
    assert stage.without_data(rule.expression for rule in EVERY if not rule.is_alert) == []


@pytest.mark.usefixtures("troubled")
def test_all_that_an_alert_compares_is_there(stage):
    alerts = [rule.expression for rule in EVERY if rule.is_alert]
    for expression in alerts:
        stage.asked(expression)
    assert stage.without_data({one for each in alerts for one in compared(each)}) == []


@pytest.mark.usefixtures("troubled")
def test_promtool_takes_what_is_scraped(promtool, stage):
    promtool("check", "metrics", text=stage.daemon.answer("/metrics").text)


@pytest.mark.usefixtures("troubled")
@pytest.mark.parametrize("query", with_exemplars(), ids=lambda query: query.panel)
def test_a_graph_of_single_runs_finds_their_exemplars(stage, query):
    found = eventually(lambda: stage.exemplars(query.expr))
    assert all(one["labels"]["execution"] for series in found for one in series["exemplars"])


def test_a_failed_task_travels_through_prometheus_and_alertmanager_as_one_alert(stage, troubled):
    told = eventually(lambda: stage.told(alertname="TmcwatchTaskFailing", name=troubled))
    assert {alert["fingerprint"] for alert in told} == {told[0]["fingerprint"]}
    assert troubled in told[0]["annotations"]["description"]
    assert told[0]["labels"]["severity"] == "warning"


@pytest.mark.usefixtures("troubled")
def test_a_refused_token_is_told_with_the_account(stage):
    assert eventually(lambda: stage.told(alertname="TmcwatchUnauthorized", account="prod"))
