"""What a scrape finds."""

import tracemalloc
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families as text_families

from tests.telemetry.snapshots import NOON, PROD, busy, counted, listed, owed, snapshot, task
from tmcwatch.domain.certificate import Doubt
from tmcwatch.domain.delivery import Failure
from tmcwatch.domain.execution import (
    AccountName,
    ExecutionId,
    Kind,
    Phase,
    SubjectId,
    Transition,
    Trigger,
)
from tmcwatch.domain.muting import Suppression
from tmcwatch.domain.usual import RunTimes
from tmcwatch.telemetry.exemplars import MOST
from tmcwatch.telemetry.families import BY_NAME, FAMILIES, FORBIDDEN_LABELS, Type, documented
from tmcwatch.telemetry.lines import Form
from tmcwatch.telemetry.metrics import Metrics

WORKSPACE = {"account": "prod", "environment": "PROD", "workspace": "FIN", "kind": "task"}
T1 = WORKSPACE | {"id": "t1"}


DETAIL = {
    "expected_duration_median_seconds": 90,
    "expected_duration_p95_seconds": 120,
    "last_duration_seconds": 2.5,
}


@pytest.fixture
def metrics():
    return Metrics(version="1.2.3")


def within(series):
    metrics = Metrics(version="1")
    metrics.limit(series)
    return metrics


def everything_counted(metrics):
    metrics.request(
        account="prod",
        family="processing",
        operation="task_executions",
        code="200",
        seconds=0.2,
    )
    metrics.waited("prod", "head", seconds=0.0, is_late=True)
    metrics.beat("prod", "task", 10.0)
    metrics.throttled("prod", "processing")
    metrics.budget("prod", "processing", rate=6.0, ceiling=30.0, paused_until=NOON)
    metrics.reread("prod", "task", Doubt.ROWS_MISSING)
    metrics.bisected("prod", "task")
    metrics.look("prod", "task", ok=True)
    metrics.skew("prod", 1.5)
    metrics.ended(failed("a7"))
    metrics.sent("oncall", 1.5)
    metrics.send_failed("oncall", Failure.PERMANENT)
    metrics.suppressed(Suppression.SILENCE, 2)
    metrics.audit_unread("prod", 1)
    metrics.restarted("tracking")
    metrics.reloaded(ok=True, at=NOON)
    metrics.logged("error")
    metrics.expect(maintenance={"patches": lambda now: now == NOON})
    return metrics


def failed(execution, **changes):
    """An end of the task of `busy` that was seen after two seconds."""
    plain: dict[str, Any] = {"account": PROD, "kind": Kind.TASK, "subject": SubjectId("t1")}
    plain |= {"phase": Phase.FAILED, "at": NOON - timedelta(seconds=2), "seen_at": NOON}
    return Transition(
        execution=ExecutionId(execution), **(plain | {"trigger": Trigger.SCHEDULED} | changes)
    )


def exemplars(metrics, state):
    return {
        (sample.name, sample.labels.get("result")): dict(sample.exemplar.labels)
        for family in scraped(metrics, state, Form.OPENMETRICS.value)
        for sample in family.samples
        if sample.exemplar
    }


def scraped(metrics, state, accept=None):
    text, _ = metrics.render(state, accept)
    families = openmetrics_families if accept else text_families
    return list(families(text.decode()))


def series_of(metrics, state, accept=None):
    return (sample for family in scraped(metrics, state, accept) for sample in family.samples)


def value(metrics, state, name, labels=None):
    found = [
        sample.value
        for family in scraped(metrics, state)
        for sample in family.samples
        if sample.name == f"tmcwatch_{name}" and (labels or {}).items() <= sample.labels.items()
    ]
    assert len(found) <= 1, f"{name} is not one series"
    return found[0] if found else None


def test_what_is_not_told_is_counted_by_why_and_begins_at_nothing(metrics):
    metrics.suppressed(Suppression.STORM, 3)
    name = "notifications_suppressed_total"
    counted = {why: value(metrics, None, name, {"reason": why}) for why in Suppression}
    assert counted == dict.fromkeys(Suppression, 0) | {Suppression.STORM: 3}


def test_the_newest_execution_behind_a_count_is_its_exemplar(metrics):
    for execution in ("a7", "a8"):
        metrics.ended(failed(execution))
    assert exemplars(metrics, busy()) == {
        ("tmcwatch_executions_total", "failed"): {"execution": "a8"},
        ("tmcwatch_detection_delay_seconds_bucket", None): {"execution": "a8"},
    }
    text, _ = metrics.render(busy(), Form.TEXT.value)
    assert b"a8" not in text


def test_an_end_that_was_taken_back_and_an_odd_id_are_no_exemplar_of_a_count(metrics):
    metrics.ended(failed("a7", corrects=Phase.SUCCEEDED))
    metrics.ended(failed("x" * 101))
    metrics.ended(failed("ü"))
    assert exemplars(metrics, busy()).keys() == {("tmcwatch_detection_delay_seconds_bucket", None)}


def test_no_more_than_the_newest_exemplars_are_kept(metrics):
    for number in range(MOST + 1):
        metrics.ended(failed("a7", subject=SubjectId(f"t{number}")))
    state = snapshot(subjects=tuple(task(f"t{number}", failed=1) for number in range(MOST + 1)))
    found = [
        sample.labels["id"]
        for family in scraped(metrics, state, Form.OPENMETRICS.value)
        for sample in family.samples
        if sample.exemplar and "id" in sample.labels
    ]
    assert len(found) == MOST
    assert "t0" not in found


@pytest.mark.parametrize("accept", [None, "application/openmetrics-text; version=1.0.0"])
def test_every_documented_metric_and_no_other_is_scraped(metrics, accept):
    samples = {
        sample.name
        for family in scraped(everything_counted(metrics), busy(), accept)
        for sample in family.samples
        if sample.name.startswith("tmcwatch_")
    }
    expected = {each.name if each.type != "histogram" else f"{each.name}_sum" for each in FAMILIES}
    extra = {f"{each.name}{end}" for each in FAMILIES for end in ("_bucket", "_count")}
    assert expected <= samples <= expected | extra


@pytest.mark.parametrize("accept", [None, "application/openmetrics-text; version=1.0.0"])
def test_series_carry_the_documented_labels_only(metrics, accept):
    for family in scraped(everything_counted(metrics), busy(), accept):
        for sample in family.samples:
            known = BY_NAME.get(sample.name)
            if known is not None:
                assert set(sample.labels) == set(known.labels), sample.name
            if family.type != "histogram":
                assert not FORBIDDEN_LABELS & sample.labels.keys(), sample.name


def test_metrics_are_named_and_explained_as_prometheus_wants():
    for family in FAMILIES:
        assert family.name.endswith("_total") == (family.type == "counter"), family.name
        assert family.name.endswith("_info") or family.type != "info"
        assert family.help.endswith(".")
        assert not set('\\\n"') & set(family.help), "what would have to be escaped"
        assert not FORBIDDEN_LABELS & set(family.labels)
        assert not {"ms", "sec", "s", "m", "h", "d"} & set(family.name.split("_"))
    assert len({family.help for family in FAMILIES}) == len(FAMILIES) == len(BY_NAME)


def test_every_metric_stands_in_the_table_for_readers():
    assert all(f"| `{family.name}` | {family.type} |" in documented() for family in FAMILIES)


def test_no_created_lines_are_scraped(metrics):
    for accept in (None, "application/openmetrics-text"):
        text, _ = everything_counted(metrics).render(busy(), accept)
        assert b"_created" not in text


def test_the_answer_is_what_the_scraper_accepts(metrics):
    assert metrics.render(snapshot(), None)[1] == Form.TEXT.value
    assert metrics.render(snapshot(), "text/html, */*")[1] == Form.TEXT.value
    text, content_type = metrics.render(snapshot(), "Application/OpenMetrics-Text;q=0.7,*/*;q=0.1")
    assert content_type == Form.OPENMETRICS.value
    assert text.endswith(b"# EOF\n")


def test_python_and_process_metrics_stay(metrics):
    text, _ = metrics.render(snapshot(), None)
    assert b"process_cpu_seconds_total" in text
    assert b"python_gc_collections_total" in text
    assert value(metrics, snapshot(), "build_info", {"version": "1.2.3"}) == 1


def test_without_a_store_what_the_process_counts_remains(metrics):
    assert value(everything_counted(metrics), None, "up", {"account": "prod"}) == 1
    assert value(metrics, None, "series_dropped") is None


def test_a_task_has_its_seven_series(metrics):
    samples = [
        sample
        for family in scraped(metrics, busy())
        for sample in family.samples
        if sample.labels.get("id") == "t1"
    ]
    assert len(samples) == 7
    assert value(metrics, busy(), "task_info", T1) == 1
    assert value(metrics, busy(), "executions_total", T1 | {"result": "succeeded"}) == 7
    assert value(metrics, busy(), "last_completion_timestamp_seconds", T1) == NOON.timestamp()


def test_a_plan_is_told_apart_from_a_task(metrics):
    assert value(metrics, busy(), "plan_info", {"id": "p1", "name": "nightly"}) == 1
    assert value(metrics, busy(), "task_info", {"id": "p1"}) is None


def test_a_task_that_never_ran_is_counted_from_zero(metrics):
    state = snapshot(subjects=(task(),))
    for result in ("succeeded", "failed", "other"):
        assert value(metrics, state, "executions_total", T1 | {"result": result}) == 0
    assert value(metrics, state, "last_success_timestamp_seconds", T1) is None
    results = {"result": "timed_out"}
    assert value(metrics, state, "workspace_executions_total", WORKSPACE | results) == 0
    assert value(metrics, state, "execution_duration_seconds_count", WORKSPACE) == 0


def test_a_workspace_without_tasks_keeps_its_counters(metrics):
    state = snapshot(counters=(counted("executions_total", "failed", 2, workspace="OLD"),))
    labels = {"workspace": "OLD", "result": "failed"}
    assert value(metrics, state, "workspace_executions_total", labels) == 2
    assert value(metrics, state, "rows_processed_total", {"workspace": "OLD"}) == 0


def test_stored_buckets_become_cumulative(metrics):
    name, state = "execution_duration_seconds", busy()
    bounds = {"1.0": 0, "5.0": 3, "86400.0": 3, "+Inf": 4}
    for bound, count in bounds.items():
        assert value(metrics, state, f"{name}_bucket", WORKSPACE | {"le": bound}) == count
    assert value(metrics, state, f"{name}_count", WORKSPACE) == 4
    assert value(metrics, state, f"{name}_sum", WORKSPACE) == 90010


def test_a_bucket_of_another_version_is_not_lost(metrics):
    state = snapshot(counters=(counted("execution_start_delay_seconds", "42", 2),))
    name = "execution_start_delay_seconds_bucket"
    assert value(metrics, state, name, WORKSPACE | {"le": "30.0"}) == 0
    assert value(metrics, state, name, WORKSPACE | {"le": "60.0"}) == 2


def test_lists_tell_how_far_they_are_read(metrics):
    state, labels = busy(), {"account": "prod", "kind": "task"}
    assert value(metrics, state, "watermark_timestamp_seconds", labels) == NOON.timestamp()
    assert value(metrics, state, "backfill_remaining_seconds", labels) == 86400
    assert value(metrics, state, "executions_open", labels | {"phase": "running"}) == 2
    assert value(metrics, state, "executions_open", labels | {"phase": "waiting"}) == 0
    assert value(metrics, state, "quarantined_rows_total", labels) == 5
    assert value(metrics, snapshot(lists=(listed(),)), "quarantined_rows_total", labels) == 0


def test_odd_rows_of_promotions_which_have_no_list_are_counted_as_well(metrics):
    row = counted("quarantined_rows_total", "", 2, environment="", workspace="")
    state = snapshot(counters=(replace(row, kind=Kind.PROMOTION),))
    labels = {"account": "prod", "kind": "promotion"}
    assert value(metrics, state, "quarantined_rows_total", labels) == 2


def test_a_workspace_counts_every_known_reason_of_a_misfire_from_nothing(metrics):
    for reason, number in {"PLAN_PAUSED": 1, "TASK_IS_PAUSED": 0, "UNKNOWN": 0}.items():
        assert value(metrics, busy(), "misfires_total", WORKSPACE | {"reason": reason}) == number


def test_receivers_and_rules_have_series_before_anything_happens(metrics):
    metrics.expect(receivers=["oncall", "team"], rules=[("failed", "critical")])
    state = snapshot(outbox=(owed("team", pending=2),))
    assert value(metrics, state, "notifications_total", {"receiver": "oncall"}) == 0
    assert value(metrics, state, "outbox_pending", {"receiver": "oncall"}) == 0
    assert value(metrics, state, "outbox_pending", {"receiver": "team"}) == 2
    assert value(metrics, state, "alerts_firing", {"rule": "failed"}) == 0
    assert value(metrics, busy(), "alerts_firing", {"rule": "failed"}) == 2


def test_a_failed_reload_keeps_the_time_of_the_last_good_one(metrics):
    metrics.reloaded(ok=True, at=NOON)
    metrics.reloaded(ok=False, at=NOON + timedelta(hours=1))
    assert value(metrics, None, "config_last_reload_successful") == 0
    name = "config_last_reload_success_timestamp_seconds"
    assert value(metrics, None, name) == NOON.timestamp()


def everything_of_an_account(metrics, account):
    metrics.beat(account, "task", 10.0)
    metrics.budget(account, "processing", rate=6.0, ceiling=30.0, paused_until=None)
    metrics.look(account, "task", ok=True)
    metrics.look(account, "plan", ok=False)
    metrics.skew(account, 1.5)
    metrics.throttled(account, "processing")


def test_of_an_account_that_is_dropped_only_counters_stay_as_they_are(metrics):
    metrics.expect(lists=[(PROD, Kind.TASK), (PROD, Kind.PLAN)])
    everything_of_an_account(metrics, "prod")
    metrics.expect(lists=[(AccountName("test"), Kind.TASK)])
    left = {one.name for one in series_of(metrics, None) if one.labels.get("account") == "prod"}
    assert "tmcwatch_api_throttled_total" in left
    assert {BY_NAME[name].type for name in left} == {Type.COUNTER}
    metrics.expect(lists=[(PROD, Kind.TASK)])
    assert value(metrics, None, "api_throttled_total", {"account": "prod"}) == 1


def test_a_list_that_is_no_longer_watched_does_not_keep_its_account_down(metrics):
    metrics.expect(lists=[(PROD, Kind.TASK), (PROD, Kind.PLAN)])
    everything_of_an_account(metrics, "prod")
    assert value(metrics, None, "up", {"account": "prod"}) == 0
    metrics.expect(lists=[(PROD, Kind.TASK)])
    assert value(metrics, None, "up", {"account": "prod"}) == 1


def test_a_pause_that_is_over_reads_as_zero(metrics):
    name = "api_throttled_until_timestamp_seconds"
    metrics.budget("prod", "processing", rate=6.0, ceiling=30.0, paused_until=NOON)
    assert value(metrics, None, name) == NOON.timestamp()
    metrics.budget("prod", "processing", rate=6.0, ceiling=30.0, paused_until=None)
    assert value(metrics, None, name) == 0
    assert value(metrics, None, "api_throttled_total") == 0


def test_what_alert_rules_are_about_outlives_what_only_pictures_show():
    ran: dict[str, Any] = {"last_success_at": NOON, "last_completion_at": NOON}
    state = snapshot(subjects=tuple(task(f"t{n}", **ran) for n in range(300)))
    metrics = within(860)
    names = ["executions_total", "last_success_timestamp_seconds", "consecutive_failures"]
    dropped = {
        name: value(metrics, state, "series_dropped", {"metric": f"tmcwatch_{name}"})
        for name in [*names, "last_completion_timestamp_seconds"]
    }
    assert dropped == {
        "executions_total": 900,
        "last_success_timestamp_seconds": 0,
        "consecutive_failures": 0,
        "last_completion_timestamp_seconds": 300,
    }


def test_beyond_the_budget_tasks_lose_their_least_needed_series_first():
    metrics = within(500)
    state = snapshot(subjects=tuple(task(f"t{number}") for number in range(100)))
    text, _ = metrics.render(state, None)
    assert text.count(b"\ntmcwatch_executions_total{") == 300
    assert b"\ntmcwatch_task_info{" not in text
    dropped = {"metric": "tmcwatch_task_info"}
    assert value(metrics, state, "series_dropped", dropped) == 100
    assert value(metrics, state, "series_dropped", {"metric": "tmcwatch_executions_total"}) == 0


def test_what_there_is_no_room_for_takes_no_memory_either():
    state = snapshot(subjects=tuple(task(f"t{number}") for number in range(2_000)))

    def most_while_rendering(series: int) -> int:
        metrics = within(series)
        tracemalloc.start()
        try:
            metrics.render(state, None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert most_while_rendering(0) < most_while_rendering(50_000) / 2


def chosen(*subjects):
    times = RunTimes(
        usual=timedelta(seconds=90),
        longest_usual=timedelta(seconds=120),
        last=timedelta(seconds=2.5),
    )
    return snapshot(subjects=subjects, run_times={one.place: times for one in subjects[:2]})


def test_only_what_is_chosen_tells_its_run_times(metrics):
    state = chosen(*(task(f"t{number}") for number in range(3)))
    for name, seconds in DETAIL.items():
        assert value(metrics, state, name, T1) == seconds
        assert value(metrics, state, name, {"id": "t2"}) is None


def test_a_task_that_never_succeeded_has_no_usual_run_time(metrics):
    times = RunTimes(usual=None, longest_usual=None, last=timedelta(seconds=7))
    state = snapshot(subjects=(task(),), run_times={task().place: times})
    found = [value(metrics, state, name, T1) for name in DETAIL]
    assert found == [None, None, 7]


@pytest.mark.uncounted
def test_details_are_left_out_as_soon_as_anything_else_is():
    state = chosen(*(task(f"t{number}") for number in range(300)))
    enough = len(list(series_of(within(50_000), state)))
    lacking = within(enough - 1)
    dropped = {"metric": "tmcwatch_last_duration_seconds"}
    assert value(lacking, state, "series_dropped", dropped) == 2
    assert value(lacking, state, "expected_duration_p95_seconds", T1) == 120
    much_lacking = within(enough - 300)
    for name in DETAIL:
        assert value(much_lacking, state, name, T1) is None
    assert value(much_lacking, state, "consecutive_failures", T1) == 0


def test_workspaces_never_lose_their_series():
    metrics = within(0)
    assert value(metrics, busy(), "workspace_executions_total", {"result": "failed"} | WORKSPACE)
    assert value(metrics, busy(), "executions_total", T1 | {"result": "failed"}) is None


names = st.text(st.characters(), max_size=20)


@given(name=names, workspace=names, status=names)
def test_any_name_in_tmc_can_be_scraped(name, workspace, status):
    counter = counted("unrecognised_statuses_total", status, 1, environment="", workspace="")
    subjects = (task(name=name, workspace=workspace),)
    text, _ = Metrics(version="1").render(snapshot(subjects=subjects, counters=(counter,)), None)
    info = next(line for line in text.split(b"\n") if line.startswith(b"tmcwatch_task_info{"))
    assert info.endswith(b"} 1.0")


def test_an_account_is_up_while_the_last_look_at_each_of_its_lists_succeeded(metrics):
    metrics.look("prod", "task", ok=False)
    metrics.look("prod", "plan", ok=True)
    assert value(metrics, None, "up", {"account": "prod"}) == 0
    metrics.look("prod", "task", ok=True)
    assert value(metrics, None, "up", {"account": "prod"}) == 1


def test_silences_are_counted_by_state_and_there_from_the_start(metrics):
    for state, number in {"active": 2, "pending": 0}.items():
        state_of = snapshot(silences={"active": 2})
        assert value(metrics, state_of, "silences", {"state": state}) == number


def test_maintenance_is_shown_by_name_as_it_is_at_that_moment(metrics):
    metrics.expect(maintenance={"now": lambda now: now == NOON, "later": lambda now: now > NOON})
    for name, number in {"now": 1, "later": 0}.items():
        assert value(metrics, snapshot(), "maintenance_active", {"name": name}) == number


@pytest.mark.uncounted
@given(name=names, other=names)
@pytest.mark.parametrize("accept", [None, "application/openmetrics-text; version=1.0.0"])
def test_every_name_is_scraped_as_tmc_has_it(accept, name, other):
    state = snapshot(subjects=(task(name=name, workspace=other), task("t2", name=other)))
    found = {
        one.labels["id"]: one.labels
        for one in series_of(Metrics(version="1"), state, accept)
        if one.name == "tmcwatch_task_info"
    }
    assert found["t1"] == T1 | {"name": scraped_as(name), "workspace": scraped_as(other)}
    assert found["t2"]["name"] == scraped_as(other)


def scraped_as(text):
    return text.encode("utf-8", "replace").decode()
