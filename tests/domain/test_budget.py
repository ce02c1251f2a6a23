"""The arithmetic of the request budget: pace, pauses, and what Retry-After may ask."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tmcwatch.domain.budget import (
    BURST,
    CEILINGS,
    CUT,
    LONGEST_CLIMB,
    LONGEST_OBEYED,
    LONGEST_PAUSE,
    LONGEST_PAUSE_AFTER_FAILURE,
    SHORTEST_CLIMB,
    SHORTEST_PAUSE,
    Family,
    Pace,
    RememberedPace,
    affords,
    answered,
    burst,
    called,
    failed,
    family_of,
    fresh_pace,
    granting,
    http_date,
    not_called,
    passed,
    pause_after,
    resumed,
    retry_after,
    throttled,
    wait,
    without_answer,
)

SERVED_AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def pace(*, at=0.0, share=0.2):
    return fresh_pace(1_800, share, at=at)


def saved():
    return fresh_pace(1_800, 0.2, at=0.0, tokens=2)


def refused(given_pace, *, asked=None, jitter=0.0, pauses=None):
    known = given_pace.pauses if pauses is None else pauses
    return throttled(given_pace, pauses=known, asked=asked, jitter=jitter)


def fails(given_pace, *, jitter=0.5, pauses=None):
    known = given_pace.pauses if pauses is None else pauses
    return failed(given_pace, pauses=known, jitter=jitter)


def test_every_family_has_its_published_ceiling_or_the_least_of_any():
    assert dict(CEILINGS) == {
        Family.PROCESSING: 1_800,
        Family.ORCHESTRATION: 1_800,
        Family.MONITORING: 600,
        Family.COMPONENT_METRICS: 5,
        Family.SECURITY: 60,
        Family.OTHER: 60,
    }


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/processing/executions/4711", Family.PROCESSING),
        ("/orchestration/workspaces", Family.ORCHESTRATION),
        ("/security/audit/logs", Family.SECURITY),
        ("/security/oauth/token", Family.SECURITY),
        ("/monitoring/observability/metrics", Family.MONITORING),
        ("/monitoring/observability/metrics/component", Family.COMPONENT_METRICS),
        ("/monitoring/observability/metrics/components", Family.MONITORING),
        ("/account/users", Family.OTHER),
        ("/processingx", Family.OTHER),
        ("/", Family.OTHER),
        ("", Family.OTHER),
    ],
)
def test_a_path_belongs_to_the_family_it_begins_with(path, family):
    assert family_of(path) is family


def test_a_fifth_of_the_ceiling_is_six_calls_a_second():
    assert pace().rate == pytest.approx(6)


def test_a_fresh_budget_owes_the_pace_from_the_first_call_on():
    assert wait(pace()) == pytest.approx(1 / 6, rel=0.02)


def test_what_was_saved_may_go_at_once_but_no_more_than_a_burst():
    assert fresh_pace(1_800, 0.2, at=0.0, tokens=2).tokens == 2
    assert fresh_pace(1_800, 0.2, at=0.0, tokens=100).tokens == BURST
    assert fresh_pace(5, 0.2, at=0.0, tokens=2).tokens == 1


def test_a_quiet_time_saves_up_no_more_than_a_small_burst():
    assert passed(pace(), 3_600.0).tokens == BURST


@pytest.mark.parametrize(("a_minute", "most"), [(0.5, 1), (1, 1), (20, 1), (40, 2), (360, 4)])
def test_a_burst_is_small_where_little_is_granted(a_minute, most):
    assert burst(a_minute / 60) == most


def test_a_clock_that_stands_still_gives_nothing():
    assert passed(pace(at=5.0), 5.0).tokens == 0


def test_another_share_keeps_a_rate_that_tmc_bears():
    cut = refused(pace())
    assert granting(cut, 1_800, 0.5).rate == pytest.approx(5.1)
    assert granting(cut, 1_800, 0.1).rate == pytest.approx(3)
    assert granting(cut, 1_800, 0.2) == cut
    assert granting(pace(), 1_800, 0.5).share == pytest.approx(15)


def test_what_is_affordable_leaves_out_a_pause():
    paused = refused(pace(), asked=timedelta(seconds=7))
    assert affords(paused, 10) == pytest.approx(3 * 5.1, rel=0.02)
    assert affords(paused, 7) == 0
    assert affords(passed(pace(), 60.0), 10) == pytest.approx(BURST + 60, rel=0.02)


def test_a_call_that_never_went_gives_its_token_back():
    assert not_called(called(saved()), pauses=0).tokens == saved().tokens


def test_a_refusal_pauses_for_what_tmc_asked():
    after = refused(pace(), asked=timedelta(seconds=17))
    assert wait(after) == 17


def test_a_refusal_that_asks_for_no_time_at_all_pauses_like_one_that_asks_for_nothing():
    given_pace, waits = pace(), []
    for _ in range(3):
        given_pace = refused(given_pace, asked=timedelta(), jitter=1.0)
        waits.append(given_pace.paused_until - given_pace.at)
        given_pace = called(passed(given_pace, given_pace.paused_until))
    assert waits == [2, 4, 8]


def test_a_refusal_cuts_the_rate():
    assert refused(pace()).rate == pytest.approx(6 * CUT)


def test_the_rate_is_cut_at_most_once_in_five_seconds():
    once = answered(refused(pace()), pauses=1)
    twice = refused(passed(once, 4.9))
    later = refused(passed(once, 5.0))
    assert twice.rate == passed(once, 4.9).rate
    assert later.rate == pytest.approx(passed(once, 5.0).rate * CUT)


def test_no_number_of_cuts_goes_below_a_tenth_of_the_share():
    given_pace = pace()
    for number in range(1, 40):
        given_pace = answered(refused(given_pace), pauses=number)
        given_pace = passed(given_pace, number * 6.0)
    assert given_pace.rate == pytest.approx(0.6)


def test_after_a_cut_the_rate_climbs_back_flatly_to_what_was_refused_and_then_beyond():
    half = refused(
        fresh_pace(1_800, 1.0, at=0.0)
    )  # 30 a second refused: 500 calls within a minute
    cut = answered(half, pauses=1)
    rates = [passed(cut, seconds).rate for seconds in (0, 15, 30, 45, 60, 63, 90, 120)]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(25.5)
    assert rates[2] == pytest.approx(30 - 4.5 / 8)
    assert rates[4] == rates[-1] == 30  # no more than the share


def test_beyond_what_was_refused_the_rate_rises_ever_faster():
    low = resumed(pace(), RememberedPace(rate=1.7, paused_until=None), now=SERVED_AT)
    assert low.refused == pytest.approx(2)
    rates = [passed(low, low.climb * part).rate for part in (1, 1.25, 1.5, 2)]
    assert rates == pytest.approx([2, 2 * 1.125, 4, 6])


@pytest.mark.parametrize(
    ("share", "asked", "seconds"),
    [
        (0.2, timedelta(seconds=1), 500 / 6),
        (1.0, timedelta(seconds=1), SHORTEST_CLIMB.total_seconds()),
        (0.2, timedelta(seconds=30), 600),
        (0.2, timedelta(minutes=10), LONGEST_CLIMB.total_seconds()),
        (0.001, timedelta(seconds=1), LONGEST_CLIMB.total_seconds()),
    ],
)
def test_a_climb_takes_long_where_a_refusal_would_cost_much(share, asked, seconds):
    assert refused(pace(share=share), asked=asked).climb == pytest.approx(seconds)


@given(st.lists(st.floats(0, 300), max_size=20))
def test_the_rate_depends_on_the_moment_and_not_on_how_often_it_is_reckoned(steps):
    step_by_step = at_once = answered(refused(pace()), pauses=1)
    for step in steps:
        step_by_step = passed(step_by_step, step_by_step.at + step)
    assert step_by_step.rate == passed(at_once, step_by_step.at).rate


def test_times_of_refusals_are_not_quiet():
    assert passed(refused(pace()), 600.0).rate == pytest.approx(5.1)
    assert passed(fails(refused(pace())), 600.0).rate == pytest.approx(5.1)


def test_after_a_pause_one_probe_goes_and_nothing_else():
    after = passed(refused(pace(), asked=timedelta(seconds=2)), 2.0)
    assert wait(after) == 0
    assert wait(called(after)) == math.inf


def test_an_answer_to_the_probe_ends_the_probing_without_a_burst():
    probing = called(passed(refused(pace()), 60.0))
    over = answered(probing, pauses=1)
    assert (over.strikes, over.probing, over.tokens) == (0, False, 1.0)


def test_a_probe_without_an_answer_lets_another_one_out():
    probing = called(passed(refused(pace()), 60.0))
    again = without_answer(probing, pauses=1)
    assert wait(again) == 0
    assert again.strikes == 1
    assert without_answer(probing, pauses=0) == probing


def test_a_refused_probe_doubles_the_pause_and_leaves_the_rate():
    probing = called(passed(refused(pace()), 60.0))
    again = refused(probing, jitter=0.999_999)
    assert wait(again) == pytest.approx(4, abs=0.001)
    assert again.rate == pytest.approx(5.1)


def test_refusals_of_calls_under_way_together_are_one_refusal():
    first = refused(pace(), asked=timedelta(seconds=2))
    second = refused(first, asked=timedelta(seconds=3), pauses=0)
    third = refused(second, pauses=0)
    assert (third.strikes, third.pauses) == (1, 1)
    assert wait(third) == 3


def test_an_answer_to_a_call_of_before_the_pause_does_not_end_it():
    paused = refused(pace())
    assert answered(paused, pauses=0) == paused


def test_an_answer_in_calm_times_changes_nothing():
    assert answered(pace(), pauses=0) == pace()


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_a_pause_lies_between_a_second_and_a_minute_however_often_refused(strikes, jitter):
    assert SHORTEST_PAUSE <= pause_after(strikes, jitter=jitter) <= LONGEST_PAUSE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("Fri, 20 Nov 2026 10:00:30 GMT", 30),
        ("Fri, 20 Nov 2026 11:00:30 +0100", 30),
        ("Fri, 20 Nov 2026 10:00:30 -0000", 30),
        ("Fri, 20 Nov 2026 09:00:00 GMT", 0),
        ("86400", 3_600),
        ("9" * 400, 3_600),
        ("Sun, 20 Nov 2033 10:00:00 GMT", 3_600),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("nan", None),
    ],
)
def test_retry_after_is_obeyed_exactly_within_reason(text, seconds):
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(text, served_at=SERVED_AT) == expected


@example("0\x1f")
@given(st.text(max_size=60))
def test_no_text_in_retry_after_does_harm(text):
    asked = retry_after(text, served_at=SERVED_AT)
    assert asked is None or timedelta() <= asked <= LONGEST_OBEYED


def test_a_date_out_of_range_is_no_date():
    assert http_date("Fri, 31 Dec 9999 23:59:59 -2300") is None


def test_a_failure_pauses_shortly_and_does_not_cut_the_rate():
    after = fails(saved())
    assert after.rate == pace().rate
    assert wait(after) == 0.5


def test_a_failure_leaves_the_rate_as_far_up_its_climb_as_it_was():
    slow = replace(pace(), rate=2.0)
    climbing = passed(answered(called(passed(refused(slow), 10.0)), pauses=1), 420.0)
    over = answered(called(passed(fails(climbing), 430.0)), pauses=2)
    assert over.rate == climbing.rate > climbing.refused
    assert passed(over, 431.0).rate == pytest.approx(passed(climbing, 421.0).rate)


def test_failures_in_a_row_double_the_pause_up_to_a_limit():
    given_pace, waits = pace(), []
    for number in range(7):
        given_pace = passed(fails(given_pace, jitter=1.0), given_pace.at)
        waits.append(given_pace.paused_until - given_pace.at)
        given_pace = called(passed(given_pace, (number + 1) * 100.0))
    assert waits == [1, 2, 4, 8, 16, 16, 16]
    assert timedelta(seconds=16) == LONGEST_PAUSE_AFTER_FAILURE


def test_after_a_failure_one_call_probes_and_its_answer_ends_the_trouble():
    probing = called(passed(fails(pace()), 60.0))
    assert wait(probing) == math.inf
    over = answered(probing, pauses=1)
    assert (over.failures, over.probing, over.tokens) == (0, False, 1.0)


def test_calls_that_were_under_way_together_fail_once():
    once = fails(pace())
    assert fails(once, pauses=0) == once


def test_a_refusal_after_a_failure_cuts_the_rate():
    assert refused(passed(fails(pace()), 10.0)).rate == pytest.approx(5.1)


def test_a_failure_does_not_shorten_the_pause_that_tmc_asked_for():
    paused = refused(pace(), asked=timedelta(seconds=30))
    assert wait(fails(paused, jitter=0.0)) == 30


def call_times(gaps: list[tuple[float, str]], *, share: float) -> list[float]:
    """Give the moments of calls that go as soon as they may after each gap and happening."""
    now, times, given_pace = 0.0, [], pace(share=share)
    for gap, happening in gaps:
        now += gap
        given_pace = passed(given_pace, now)
        match happening:
            case "restart":
                given_pace = replace(
                    pace(at=now, share=share), rate=given_pace.rate, share=given_pace.share
                )
            case "refused":
                given_pace = refused(given_pace, asked=timedelta(seconds=3))
            case "failed":
                given_pace = fails(given_pace)
            case _:
                given_pace = answered(given_pace, pauses=given_pace.pauses)
        given_pace = without_answer(given_pace, pauses=given_pace.pauses)
        now += wait(given_pace)
        given_pace = called(passed(given_pace, now))
        times.append(now)
    return times


HAPPENINGS = st.sampled_from(["answered", "answered", "answered", "restart", "refused", "failed"])


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.5, 3.0, 70.0]), HAPPENINGS), max_size=200),
    st.sampled_from([0.000_3, 0.002, 0.01, 0.03, 0.05]),
)
def test_no_sliding_minute_holds_more_calls_than_the_budget(gaps, share):
    times = call_times(gaps, share=share)
    # A fraction of a call counts as one; a wait in floats may end a hair too early.
    most = math.ceil(1_800 * share)
    assert all(sum(start <= time < start + 59.999 for time in times) <= most for start in times)


@given(st.lists(st.tuples(st.sampled_from("acrf"), st.floats(0, 100)), max_size=60))
def test_whatever_happens_a_call_may_go_after_a_bounded_wait(happenings):
    given_pace: Pace = pace()
    for what, seconds in happenings:
        given_pace = passed(given_pace, given_pace.at + seconds)
        if what == "c" and wait(given_pace) == 0:
            given_pace = called(given_pace)
        elif what == "a":
            given_pace = answered(given_pace, pauses=given_pace.pauses)
        elif what == "r":
            given_pace = refused(given_pace, jitter=0.5)
        elif what == "f":
            given_pace = fails(given_pace)
    assert wait(without_answer(given_pace, pauses=given_pace.pauses)) <= 60
