"""How many series a tenant of some size has, and what is left out of those of a larger one."""

from collections import Counter
from functools import cache

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.telemetry.snapshots import NOON, PROD, listed, snapshot, task
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.execution import Kind
from tmcwatch.telemetry.families import PER_SUBJECT, PER_WORKSPACE
from tmcwatch.telemetry.metrics import SERIES, Metrics

pytestmark = pytest.mark.uncounted

WORKSPACES = 15
"""Three environments with five each."""


def tenant(tasks):
    """A tenant of which every task has run, and one of twenty is a plan besides."""
    ran = {"last_success_at": NOON, "last_completion_at": NOON, "succeeded": 5}
    return snapshot(
        lists=(listed(), listed(Kind.PLAN)),
        subjects=tuple(
            task(f"{kind}{number}", kind=kind, workspace=f"w{number % WORKSPACES}", **ran)
            for kind, count in ((Kind.TASK, tasks), (Kind.PLAN, tasks // 20))
            for number in range(count)
        ),
    )


def metrics():
    metrics = Metrics(version="1")
    metrics.expect(
        lists=[(PROD, Kind.TASK), (PROD, Kind.PLAN)],
        receivers=["team", "oncall"],
        rules=[(name, "warning") for name in BUILT_IN],
    )
    return metrics


@cache
def series(tasks):
    text, _ = metrics().render(tenant(tasks), None)
    families = text_string_to_metric_families(text.decode())
    return [sample for family in families for sample in family.samples]


def test_2_000_tasks_have_no_more_than_16_000_series_and_none_is_left_out():
    of_2_000 = series(2_000)
    of_tasks = [one for one in of_2_000 if one.labels.get("kind") != "plan"]
    assert len(of_tasks) <= 16_000, "plans come to them"
    assert {one.value for one in of_2_000 if one.name == "tmcwatch_series_dropped"} == {0}


def test_30_000_tasks_stay_within_the_budget():
    of_30_000 = series(30_000)
    assert len(of_30_000) <= SERIES
    there = {one.name for one in of_30_000}
    assert "tmcwatch_last_success_timestamp_seconds" in there, (
        "the most needed that there is room for"
    )


def test_what_was_left_out_is_told_to_the_last_series():
    of_30_000 = series(30_000)
    subjects = 30_000 + 30_000 // 20
    told = {one.labels["metric"]: one.value for one in of_30_000 if one.name.endswith("_dropped")}
    there = Counter(one.name for one in of_30_000)
    wanted = dict.fromkeys((family.name for family in PER_SUBJECT), subjects)
    wanted |= {"tmcwatch_executions_total": 3 * subjects, "tmcwatch_task_info": 30_000}
    wanted |= {"tmcwatch_plan_info": 1_500, "tmcwatch_promotion_info": 0}
    assert {name: there[name] + told[name] for name in wanted} == wanted


def test_workspaces_have_all_their_series_however_many_tasks_there_are():
    of_30_000 = series(30_000)

    def of_workspaces(samples):
        names = tuple(family.name for family in PER_WORKSPACE)
        return Counter(one.name for one in samples if one.name.startswith(names))

    assert of_workspaces(of_30_000) == of_workspaces(series(2_000))
    found = {one.labels["workspace"] for one in of_30_000 if "workspace" in one.labels}
    assert found == {f"w{number}" for number in range(WORKSPACES)}
