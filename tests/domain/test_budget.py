"""The arithmetic of the request budget: pace, pauses, and what Retry-After may ask."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmcwatch.domain.budget import (
    BURST,
    CEILINGS,
    FIRST_TOKENS,
    LONGEST_OBEYED,
    LONGEST_PAUSE,
    PRIORITIES,
    SHORTEST_PAUSE,
    Family,
    Pace,
    Purpose,
    answered,
    called,
    fresh_pace,
    http_date,
    not_called,
    passed,
    pause_after,
    retry_after,
    throttled,
    wait,
    without_answer,
)

SERVED_AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def pace(*, at=0.0, share=0.2):
    return fresh_pace(1_800, share, at=at)


def refused(given_pace, *, asked=None, jitter=0.0, pauses=None):
    known = given_pace.pauses if pauses is None else pauses
    return throttled(given_pace, pauses=known, asked=asked, jitter=jitter)


def test_every_family_has_its_published_ceiling():
    assert dict(CEILINGS) == {
        Family.PROCESSING: 1_800,
        Family.ORCHESTRATION: 1_800,
        Family.MONITORING: 600,
        Family.SECURITY: 600,
    }


def test_purposes_come_in_the_order_of_their_urgency():
    assert sorted(Purpose, key=PRIORITIES.__getitem__) == [
        Purpose.HEAD,
        Purpose.ENDS,
        Purpose.DETAIL,
        Purpose.NAMES,
        Purpose.BACKFILL,
        Purpose.AUDIT,
    ]


def test_a_fifth_of_the_ceiling_is_six_calls_a_second():
    assert pace().rate == pytest.approx(6)


def test_a_fresh_budget_lets_two_calls_out_at_once():
    two = called(called(pace()))
    assert wait(called(pace())) == 0
    assert wait(two) == pytest.approx(1 / 6)


def test_a_quiet_time_saves_up_no_more_than_a_small_burst():
    assert passed(pace(), 3_600.0).tokens == BURST


def test_a_clock_that_stands_still_gives_nothing():
    assert passed(pace(at=5.0), 5.0).tokens == FIRST_TOKENS


def test_a_call_that_never_went_gives_its_token_back():
    assert not_called(called(pace()), pauses=0).tokens == pace().tokens


def test_a_refusal_pauses_for_what_tmc_asked():
    after = refused(pace(), asked=timedelta(seconds=17))
    assert wait(after) == 17


def test_a_refusal_cuts_the_rate_to_four_fifths():
    assert refused(pace()).rate == pytest.approx(6 * 0.8)


def test_the_rate_is_cut_at_most_once_in_five_seconds():
    once = answered(refused(pace()), pauses=1)
    twice = refused(passed(once, 4.9))
    later = refused(passed(once, 5.0))
    assert twice.rate == pytest.approx(6 * 0.8)
    assert later.rate == pytest.approx(6 * 0.64)


def test_no_number_of_cuts_goes_below_a_tenth_of_the_share():
    given_pace = pace()
    for minute in range(1, 40):
        given_pace = answered(refused(given_pace), pauses=minute)
        given_pace = passed(given_pace, minute * 6.0)
    assert given_pace.rate == pytest.approx(0.6)


def test_each_quiet_minute_gives_a_twentieth_of_the_share_back():
    cut = answered(refused(pace()), pauses=1)
    assert passed(cut, 59.0).rate == pytest.approx(4.8)
    assert passed(cut, 60.0).rate == pytest.approx(5.1)
    assert passed(cut, 120.0).rate == pytest.approx(5.4)
    assert passed(passed(cut, 90.0), 120.0).rate == pytest.approx(5.4)
    assert passed(cut, 3_600.0).rate == pytest.approx(6)


def test_minutes_of_refusals_are_not_quiet():
    assert passed(refused(pace()), 600.0).rate == pytest.approx(4.8)


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
    assert again.rate == pytest.approx(4.8)


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


def call_times(gaps: list[float], *, share: float) -> list[float]:
    """Give the moments of calls that go as soon as they may after each gap."""
    now, times, given_pace = 0.0, [], pace(share=share)
    for gap in gaps:
        given_pace = passed(given_pace, now + gap)
        now += gap + wait(given_pace)
        given_pace = called(passed(given_pace, now))
        times.append(now)
    return times


@given(
    st.lists(st.sampled_from([0.0, 0.01, 0.5, 3.0, 70.0]), max_size=200),
    st.sampled_from([0.002, 0.01, 0.03]),
)
def test_no_sliding_minute_holds_more_calls_than_the_budget_and_a_burst(gaps, share):
    times = call_times(gaps, share=share)
    most = 1_800 * share + BURST + 1e-3
    assert all(sum(start <= time < start + 60 for time in times) <= most for start in times)


@given(st.lists(st.tuples(st.sampled_from("acr"), st.floats(0, 100)), max_size=60))
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
    assert wait(without_answer(given_pace, pauses=given_pace.pauses)) <= 60
