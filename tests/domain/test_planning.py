"""The plan of requests: what each purpose costs, held against what it is made of."""

import random
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from tests.domain.loads import account, list_load, use, watching
from tmcwatch.api.client import Client
from tmcwatch.app.planning import HABITS
from tmcwatch.domain.budget import Family, Purpose
from tmcwatch.domain.execution import ExecutionId, Kind
from tmcwatch.domain.following import OpenRun, cheapest_cover
from tmcwatch.domain.planning import (
    demand,
    head_requests,
    history_requests,
    names_requests,
    pages,
    refreshes,
)
from tmcwatch.domain.window import PAGE_LIMIT, Reading, offsets

OVERLAP, TRIGGER = Reading.OVERLAP, Reading.TRIGGER
NOW = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = 3600.0
CLIENT = cast(Client, None)  # what a list is asked for does not depend on whom it asks


def asked(load, reading, **more):
    return demand([load], watching(**more), reading, HABITS)


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 199, 200, 1000, 1099])
def test_pages_are_as_many_as_the_offsets_of_a_read(rows):
    assert pages(rows) == 1 + len(offsets(rows, page_limit=PAGE_LIMIT))


def test_a_quiet_list_costs_one_head_a_beat():
    load = account(list_load(runs=0, number=0, long=0))
    assert asked(load, TRIGGER, beat=30)[Family.PROCESSING, Purpose.HEAD] == 2


def test_two_lists_cost_twice_and_half_the_beat_twice():
    lists = [list_load(runs=10, number=1, long=0, kind=kind) for kind in (Kind.TASK, Kind.PLAN)]
    assert asked(account(*lists), OVERLAP, beat=10)[Family.PROCESSING, Purpose.HEAD] == 12


def test_a_head_of_several_pages_reads_the_newest_and_the_settled_stretch():
    load = list_load(runs=6000, number=150, long=0)
    assert head_requests(load, watching(beat=30), OVERLAP) == pytest.approx(1 + 3)
    assert head_requests(load, watching(beat=30), TRIGGER) < 1.01


def test_open_runs_cost_nothing_where_windows_overlap():
    assert refreshes(list_load(), watching(), OVERLAP, HABITS) == 0


def test_runs_side_by_side_share_a_page_and_lonely_ones_are_read_by_id():
    side_by_side = list_load(runs=1000, number=3, ages=(100.0, 200.0, 300.0))
    apart = list_load(runs=1000, number=3, ages=(100.0, 1000.0, 20_000.0))
    assert refreshes(side_by_side, watching(), TRIGGER, HABITS) == 1
    assert refreshes(apart, watching(), TRIGGER, HABITS) == 3


def test_what_the_head_shows_is_not_read_again():
    assert refreshes(list_load(number=1, ages=(5.0,)), watching(settle=10), TRIGGER, HABITS) == 0


def test_more_open_runs_than_were_shown_cost_more():
    few = list_load(runs=1000, number=2, ages=(100.0, 20_000.0))
    many = list_load(runs=1000, number=20, ages=(100.0, 20_000.0))
    assert refreshes(many, watching(), TRIGGER, HABITS) == pytest.approx(
        10 * refreshes(few, watching(), TRIGGER, HABITS)
    )


def test_open_runs_of_a_list_in_which_nothing_was_triggered_are_read_by_id():
    still = list_load(runs=0, number=4, long=4, ages=(9e5, 9e5, 9e5, 9e5))
    assumed = list_load(runs=0, number=4, long=2)
    assert refreshes(still, watching(), TRIGGER, HABITS) == 4
    assert refreshes(assumed, watching(settle=0), TRIGGER, HABITS) == pytest.approx(4)


@pytest.mark.uncounted
@pytest.mark.parametrize(
    ("per_hour", "number", "long"), [(1000, 70, 10), (1000, 20, 0), (3000, 190, 8), (60, 5, 2)]
)
def test_assumed_ages_cost_what_following_such_runs_costs_on_average(per_hour, number, long):
    """The cover that the daemon works out, for runs drawn at random as they are assumed."""
    dice = random.Random(f"{per_hour}/{number}/{long}")
    costs = [followed(dice, per_hour, number, long) for _ in range(30)]
    load = list_load(runs=per_hour, number=number, long=long)
    planned = refreshes(load, watching(settle=10), TRIGGER, HABITS)
    assert planned == pytest.approx(sum(costs) / len(costs), rel=0.12, abs=0.4)


def followed(dice, per_hour, number, long):
    """Draw a tenant's last hours, and count the requests for what is open and not in the head."""
    short = (number - 2 * long) / per_hour * HOUR
    age, triggers, runs = 0.0, [], []
    long_share = long / per_hour
    while age < 9 * HOUR:
        age += dice.expovariate(per_hour / HOUR)
        triggers.append(age)
        lasts = dice.expovariate(1 / short) if short else 0.0
        if dice.random() < long_share:
            lasts = HOUR + dice.expovariate(1 / HOUR)
        if lasts > age > 10:
            runs.append(age)
    known = sorted(NOW - timedelta(seconds=age) for age in triggers[: HABITS.triggers_known])
    cover = cheapest_cover(
        [
            OpenRun(id=ExecutionId(str(age)), triggered_at=NOW - timedelta(seconds=age))
            for age in runs
        ],
        known,
    )
    return len(cover.windows) + len(cover.ids)


def test_a_bad_end_costs_its_detail_and_a_plan_its_steps():
    tasks, plans = list_load(bad=30), list_load(kind=Kind.PLAN, bad=10)
    assert asked(account(tasks, plans), OVERLAP)[Family.PROCESSING, Purpose.DETAIL] == 0.5 + 0.5


def test_where_rows_are_judged_each_end_of_a_task_costs_its_detail():
    load = account(*(list_load(runs=60, bad=6, kind=kind) for kind in (Kind.TASK, Kind.PLAN)))
    found = asked(load, OVERLAP, judges_rows=True)
    assert found[Family.PROCESSING, Purpose.DETAIL] == pytest.approx(1 + 0.1 * 3)


def test_names_are_all_pages_of_tasks_and_plans_and_two_lists_more():
    assert names_requests(account(tasks=1001, plans=0)) == 11 + 1 + 2
    found = asked(account(tasks=1001, plans=0), OVERLAP, names=120)
    assert found[Family.ORCHESTRATION, Purpose.NAMES] == 7


def test_the_audit_log_draws_on_the_family_of_security():
    assert (Family.SECURITY, Purpose.AUDIT) not in asked(account(), OVERLAP)
    found = asked(account(), OVERLAP, audit_log=True)
    assert found[Family.SECURITY, Purpose.AUDIT] == pytest.approx(1 / 3)


def test_each_running_promotion_is_asked_for_on_every_beat_up_to_a_bound():
    few = asked(account(promotions=2), OVERLAP, beat=10)
    many = asked(account(promotions=2000), OVERLAP, beat=10)
    assert few[Family.PROCESSING, Purpose.ENDS] == 12
    assert many[Family.PROCESSING, Purpose.ENDS] == 20 * 6


def test_checking_again_costs_about_each_row_twice_in_pages():
    load = account(list_load(runs=6000, number=0, long=0))
    found = asked(load, TRIGGER)[Family.PROCESSING, Purpose.AUDIT]
    assert found == pytest.approx(2 * 100 / 99, rel=0.25)


def test_the_history_is_read_once_in_full_pages():
    load = account(list_load(runs=1000, number=0, long=0))
    asked_for = history_requests([load], watching(history=24 * HOUR), TRIGGER, HABITS)
    assert asked_for == pytest.approx(24_000 / 99, rel=0.15)
    assert history_requests([load], watching(history=0), TRIGGER, HABITS) == 0


def test_accounts_of_one_budget_are_summed():
    one, two = use(account()), use(account(), account())
    for reading in Reading:
        single, double = (
            demand(each.loads, each.watching, reading, HABITS) for each in (one, two)
        )
        assert double == {what: pytest.approx(2 * number) for what, number in single.items()}
